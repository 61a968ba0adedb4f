"""How a device's entry in the registry comes to be and changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from seawall.devices.sensors import check_sensors
from seawall.errors import ConflictError, UsageError
from seawall.model.device import Board, Device, DeviceStatus, Profile, Sensor, Trust
from seawall.model.ids import check_device_id, check_group
from seawall.pki.authority import IssuedCertificate

MIN_INTERVAL_MS: Final = 100
MAX_INTERVAL_MS: Final = 86_400_000
SERVER_UNAUTHENTICATED: Final = "server unauthenticated"
DEFAULT_SENSORS: Final = (Sensor("tmp36", "0"),)


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What a person says of a device that is to be added.

    Attributes:
        device_id: Its name.
        board: What it runs on.
        sensors: What it measures with.
        profile: How it signs.
        trust: How it authenticates the server.
        interval_ms: How often it measures.
        accept_unauthenticated_server: The person knows that this board cannot
            tell the server from an impostor.
        group: What it is counted among, for roll-outs; empty for none.
    """

    device_id: str
    board: Board = Board.UNIX
    sensors: tuple[Sensor, ...] = field(default=DEFAULT_SENSORS)
    profile: Profile = Profile.SEAWALL_1
    trust: Trust = Trust.CA_AND_PIN
    interval_ms: int = 10_000
    accept_unauthenticated_server: bool = False
    group: str = ""


def check_new_device(new: NewDevice) -> None:
    """Check what a person said, before any key is made.

    Raises:
        InvalidNameError: the id is not allowed.
        UsageError: a sensor, the interval or the board does not fit.
    """
    check_device_id(new.device_id)
    check_group(new.group)
    check_interval(new.interval_ms)
    check_sensors(new.sensors, new.board)
    if not new.board.verifies_server and not new.accept_unauthenticated_server:
        raise UsageError(
            f"stock firmware of the {new.board.value} can neither verify nor pin a server: "
            "this device could not tell Seawall from an impostor",
            reference="server-unauthenticated",
            hint="use an esp32 or rp2 board; or accept it with --accept-unauthenticated-server, "
            f"and the device is labelled '{SERVER_UNAUTHENTICATED}' wherever it is shown",
        )


def check_interval(interval_ms: int) -> None:
    """Check how often a device is to measure.

    Raises:
        UsageError: it is too often or too seldom.
    """
    if not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
        raise UsageError(
            f"an interval of {interval_ms} ms is out of range",
            hint=f"{MIN_INTERVAL_MS} ms to {MAX_INTERVAL_MS} ms (a day)",
        )


def registered(new: NewDevice, issued: IssuedCertificate, at_ms: int) -> Device:
    """Return the entry of a new device."""
    return Device(
        device_id=new.device_id,
        board=new.board,
        status=DeviceStatus.ACTIVE,
        profile=new.profile,
        trust=new.trust,
        key_generation=1,
        certificate_serial=issued.serial,
        certificate_sha256=issued.sha256,
        certificate_not_after_ms=issued.not_after_ms,
        added_ms=at_ms,
        changed_ms=at_ms,
        interval_ms=new.interval_ms,
        sensors=new.sensors,
        group=new.group,
    )


def disabled(device: Device, at_ms: int) -> Device:
    """Return the device disabled.

    Raises:
        ConflictError: it is disabled or revoked already.
    """
    _refuse_revoked(device)
    if device.status is DeviceStatus.DISABLED:
        raise ConflictError(
            f"device {device.device_id} is disabled already", reference="already-disabled"
        )
    return device.with_status(DeviceStatus.DISABLED, at_ms)


def enabled(device: Device, at_ms: int) -> Device:
    """Return the device active again.

    Raises:
        ConflictError: it is active already, or revoked.
    """
    _refuse_revoked(device)
    if device.status is DeviceStatus.ACTIVE:
        raise ConflictError(
            f"device {device.device_id} is active already", reference="already-active"
        )
    return device.with_status(DeviceStatus.ACTIVE, at_ms)


def _refuse_revoked(device: Device) -> None:
    if device.status is DeviceStatus.REVOKED:
        raise ConflictError(
            f"device {device.device_id} is revoked, which is for good",
            reference="device-revoked",
            hint="add a device of another name and put its bundle onto the board",
        )


def trust_label(device: Device) -> str:
    """Return how the device authenticates the server, in words for every place it is shown."""
    return device.trust.value if device.board.verifies_server else SERVER_UNAUTHENTICATED
