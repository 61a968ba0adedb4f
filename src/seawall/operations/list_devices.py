"""Lists the fleet."""

from __future__ import annotations

from typing import NamedTuple

from seawall.model.device import Device, DeviceStatus
from seawall.model.history import DeviceActivity
from seawall.model.rollout import DeviceSoftware
from seawall.operations.installation import Installation


class DeviceOverview(NamedTuple):
    """A device, what came from it, and what it says that it runs."""

    device: Device
    activity: DeviceActivity
    software: DeviceSoftware | None = None


def list_devices(
    installation: Installation, status: DeviceStatus | None = None, group: str | None = None
) -> list[DeviceOverview]:
    """Return the devices, sorted by id; those of one status or group alone if it is given.

    Raises:
        StoreError: the store failed.
    """
    devices = [
        device
        for device in installation.store.devices()
        if status in (None, device.status) and group in (None, device.group)
    ]
    ids = [device.device_id for device in devices]
    activities = {entry.device_id: entry for entry in installation.store.activity(ids)}
    software = {entry.device_id: entry for entry in installation.store.software()}
    return [
        DeviceOverview(
            device,
            activities.get(device.device_id, _silent(device.device_id)),
            software.get(device.device_id),
        )
        for device in devices
    ]


def _silent(device_id: str) -> DeviceActivity:
    return DeviceActivity(device_id, 0, None, None, None, 0)
