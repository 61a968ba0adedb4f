"""Devices as the command line shows them: for machines and for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from seawall.devices.lifecycle import trust_label
from seawall.model.device import Device
from seawall.model.history import DeviceActivity
from seawall.model.rollout import DeviceSoftware

if TYPE_CHECKING:
    from seawall.devices.proof import Proof


def when(at_ms: int | None) -> str:
    """Return a time for people, UTC; ``never`` for none."""
    if at_ms is None:
        return "never"
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"


def device_json(device: Device) -> dict[str, Any]:
    """Return a device's entry in the registry for machines."""
    return {
        "device": device.device_id,
        "board": device.board.value,
        "status": device.status.value,
        "profile": device.profile.value,
        "trust": device.trust.value,
        "server_authenticated": device.board.verifies_server,
        "server_trust": trust_label(device),
        "sensors": [f"{sensor.kind}:{sensor.pin}" for sensor in device.sensors],
        "interval_ms": device.interval_ms,
        "group": device.group,
        "key_generation": device.key_generation,
        "certificate_serial": device.certificate_serial,
        "certificate_sha256": device.certificate_sha256,
        "certificate_not_after_ms": device.certificate_not_after_ms,
        "added_ms": device.added_ms,
        "changed_ms": device.changed_ms,
    }


def overview_json(
    device: Device, activity: DeviceActivity, software: DeviceSoftware | None
) -> dict[str, Any]:
    """Return the same with what came from the device, and what it runs."""
    return {
        **device_json(device),
        "readings": activity.readings,
        "refusals": activity.refusals,
        "last_ts_ms": activity.last_ts_ms,
        "last_received_ms": activity.last_received_ms,
        "running": None if software is None else software_json(software),
    }


def software_json(software: DeviceSoftware) -> dict[str, Any]:
    """Return what a device runs for machines."""
    return {
        "version": software.version,
        "slot": software.slot,
        "trial": software.trial,
        "boot": software.boot,
        "at_ms": software.at_ms,
    }


def software_words(software: DeviceSoftware | None) -> str:
    """Return what a device runs for people; ``-`` if it never said."""
    if software is None:
        return "-"
    return f"{software.version} (trial)" if software.trial else software.version


def list_row(
    device: Device, activity: DeviceActivity, software: DeviceSoftware | None
) -> tuple[str, ...]:
    """Return a row of ``device list``."""
    return (
        device.device_id,
        device.board.value,
        device.status.value,
        software_words(software),
        trust_label(device),
        str(activity.readings),
        when(activity.last_received_ms),
        str(activity.refusals),
    )


def add_facts(device: Device) -> dict[str, object]:
    """Return what people need of a new device."""
    return {
        "device": device.device_id,
        "board": device.board.value,
        "server trust": trust_label(device),
        "sensors": ", ".join(f"{sensor.kind}:{sensor.pin}" for sensor in device.sensors),
        "certificate": device.certificate_serial,
        "expires": when(device.certificate_not_after_ms),
    }


def show_facts(
    device: Device, activity: DeviceActivity, software: DeviceSoftware | None
) -> dict[str, object]:
    """Return everything of a device."""
    return {
        **add_facts(device),
        "sha256": device.certificate_sha256,
        "status": f"{device.status.value} since {when(device.changed_ms)}",
        "runs": software_words(software) + (f", slot {software.slot}" if software else ""),
        "group": device.group or "-",
        "profile": device.profile.value,
        "interval": f"{device.interval_ms / 1000:g} s",
        "added": when(device.added_ms),
        "readings": activity.readings,
        "last received": when(activity.last_received_ms),
        "refused": activity.refusals,
    }


def proof_json(proof: Proof) -> dict[str, Any]:
    """Return a proof for machines."""
    return {
        "outcome": proof.outcome.value,
        "proven": proof.is_refused,
        "detail": proof.detail,
        "endpoint": proof.endpoint,
        "attempts": proof.attempts,
    }


def proof_words(proof: Proof) -> str:
    """Return a proof for people."""
    if proof.is_refused:
        return f"refused, as it must be ({proof.detail})"
    return f"{proof.outcome.value}: {proof.detail}"
