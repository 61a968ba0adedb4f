"""Lets a disabled device in again."""

from __future__ import annotations

from seawall.devices.lifecycle import enabled
from seawall.model.device import Device
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation


def enable_device(installation: Installation, device_id: str) -> Device:
    """Enable a device that was disabled.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is active already, or revoked.
        StoreError: the store failed; nothing has changed.
    """
    # Alone, so that no revocation in between is written over.
    with installation.keystore.exclusive():
        device = enabled(find_device(installation, device_id), installation.now_ms())
        installation.store.put_device(device, installation.event("device-enabled", device_id))
    return device
