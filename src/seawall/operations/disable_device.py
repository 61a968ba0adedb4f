"""Shuts a device out for a time."""

from __future__ import annotations

from seawall.devices.lifecycle import disabled
from seawall.model.device import Device
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation


def disable_device(installation: Installation, device_id: str) -> Device:
    """Disable a device; a running daemon ends its session. Needs no key.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is disabled or revoked already.
        StoreError: the store failed; nothing has changed.
    """
    # Alone, so that no revocation in between is written over.
    with installation.keystore.exclusive():
        device = disabled(find_device(installation, device_id), installation.now_ms())
        installation.store.put_device(device, installation.event("device-disabled", device_id))
    return device
