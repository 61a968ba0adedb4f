"""Lists the fleet."""

from __future__ import annotations

from typing import NamedTuple

from seawall.model.device import Device, DeviceStatus
from seawall.model.history import DeviceActivity
from seawall.operations.installation import Installation


class DeviceOverview(NamedTuple):
    """A device, and what came from it."""

    device: Device
    activity: DeviceActivity


def list_devices(
    installation: Installation, status: DeviceStatus | None = None
) -> list[DeviceOverview]:
    """Return the devices, sorted by id; those of one status alone if it is given.

    Raises:
        StoreError: the store failed.
    """
    devices = [
        device
        for device in installation.store.devices()
        if status is None or device.status is status
    ]
    ids = [device.device_id for device in devices]
    activities = {entry.device_id: entry for entry in installation.store.activity(ids)}
    return [
        DeviceOverview(device, activities.get(device.device_id, _silent(device.device_id)))
        for device in devices
    ]


def _silent(device_id: str) -> DeviceActivity:
    return DeviceActivity(device_id, 0, None, None, None, 0)
