"""Finds one device of the registry."""

from __future__ import annotations

import difflib

from seawall.errors import NotFoundError
from seawall.model.device import Device
from seawall.model.ids import check_device_id
from seawall.operations.installation import Installation


def find_device(installation: Installation, device_id: str) -> Device:
    """Return a device.

    Raises:
        InvalidNameError: the id is not allowed.
        NotFoundError: there is none; the hint names the nearest.
    """
    device = installation.store.device(check_device_id(device_id))
    if device is not None:
        return device
    known = [other.device_id for other in installation.store.devices()]
    near = difflib.get_close_matches(device_id, known, n=1)
    raise NotFoundError(
        f"there is no device {device_id}",
        reference="device-not-found",
        hint=f"did you mean {near[0]}?" if near else "'seawall device list' names the devices",
    )
