"""Puts a device into a group, for roll-outs."""

from __future__ import annotations

from dataclasses import replace

from seawall.model.device import Device
from seawall.model.ids import check_group
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation


def group_device(installation: Installation, device_id: str, group: str) -> Device:
    """Put a device into a group; an empty one takes it out of any. Needs no key.

    Raises:
        NotFoundError: there is no such device.
        InvalidNameError: the group may not be named so.
        StoreError: the store failed; nothing has changed.
    """
    check_group(group)
    # Alone, so that no revocation in between is written over.
    with installation.keystore.exclusive():
        device = replace(find_device(installation, device_id), group=group)
        event = installation.event("device-grouped", device_id, group=group)
        installation.store.put_device(device, event)
    return device
