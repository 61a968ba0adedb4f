"""Adds a device: certificate, key, entry in the registry."""

from __future__ import annotations

from seawall.devices.lifecycle import NewDevice, check_new_device, registered, trust_label
from seawall.errors import ConflictError
from seawall.model.device import Device, DeviceStatus
from seawall.operations.installation import Installation


def add_device(
    installation: Installation, new: NewDevice, *, passphrase: bytes | None = None
) -> Device:
    """Add a device and return its entry.

    The files are written first: a crash before the registry knows the device
    leaves files that the next attempt replaces.

    Args:
        installation: Where.
        new: What is known of it.
        passphrase: Of the issuing key, if it is encrypted.

    Raises:
        InvalidNameError: the id is not allowed.
        UsageError: a sensor, the interval or the board does not fit.
        ConflictError: the id is taken, by a revoked device too.
        KeyAccessError: the issuing key cannot be used.
        StoreError: the store failed; there is no new device.
    """
    check_new_device(new)
    # Before the passphrase is tried, which takes a while; again below, alone.
    _refuse_taken(installation, new.device_id)
    authority = installation.keystore.authority(passphrase)
    with installation.keystore.exclusive():
        _refuse_taken(installation, new.device_id)
        issued = authority.issue_device(new.device_id, installation.now())
        installation.keystore.save_device(new.device_id, issued)
        device = registered(new, issued, installation.now_ms())
        event = installation.event(
            "device-added",
            device.device_id,
            board=device.board.value,
            trust=trust_label(device),
            certificate=device.certificate_serial,
        )
        installation.store.add_device(device, event)
    return device


def _refuse_taken(installation: Installation, device_id: str) -> None:
    taken = installation.store.device(device_id)
    if taken is None:
        return
    if taken.status is DeviceStatus.DISABLED:
        # As a device is whose readings were imported before it was there.
        raise ConflictError(
            f"there is a device {device_id} already, which is disabled",
            reference="device-exists",
            hint=f"'seawall device enable {device_id}' lets it in, with the readings it has",
        )
    if taken.status is DeviceStatus.REVOKED:
        raise ConflictError(
            f"there was a device {device_id} already, which is revoked",
            reference="device-exists",
            hint="the name of a revoked device stays taken, so that its history stays its own; "
            "choose another",
        )
    raise ConflictError(
        f"there is a device {device_id} already",
        reference="device-exists",
        hint=f"'seawall device show {device_id}' tells about it; choose another name",
    )
