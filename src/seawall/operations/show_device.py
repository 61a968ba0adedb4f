"""Shows one device."""

from __future__ import annotations

from typing import NamedTuple

from seawall.model.device import Device
from seawall.model.event import Event
from seawall.model.history import DeviceActivity
from seawall.model.rollout import DeviceSoftware
from seawall.operations.find_device import find_device
from seawall.operations.installation import Installation


class DeviceDetails(NamedTuple):
    """A device, what came from it, what happened lately, oldest first, and what it runs."""

    device: Device
    activity: DeviceActivity
    events: list[Event]
    software: DeviceSoftware | None = None


def show_device(
    installation: Installation, device_id: str, *, last_events: int = 10
) -> DeviceDetails:
    """Return what is known of a device.

    Raises:
        NotFoundError: there is none.
        StoreError: the store failed.
    """
    device = find_device(installation, device_id)
    activities = installation.store.activity([device_id])
    silent = DeviceActivity(device_id, 0, None, None, None, 0)
    events = installation.store.events(subject=device_id, last=last_events)
    runs = (each for each in installation.store.software() if each.device_id == device_id)
    activity = activities[0] if activities else silent
    return DeviceDetails(device, activity, events, next(runs, None))
