"""`/api/v1/devices`: the fleet, and one device."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from seawall.web.api.description import NOT_FOUND
from seawall.web.context import Context
from seawall.web.fleet import DeviceView, device_of, fleet_of
from seawall.web.problems import Problem

router = APIRouter(tags=["devices"])


class Fleet(BaseModel):
    """All devices, worst first."""

    at_ms: int
    devices: list[DeviceView]


@router.get("/api/v1/devices")
def list_devices(context: Context) -> Fleet:
    """List all devices, those that need a look first."""
    return Fleet(at_ms=context.services.now_ms(), devices=fleet_of(context.services))


@router.get("/api/v1/devices/{device_id}", responses=NOT_FOUND)
def show_device(context: Context, device_id: str) -> DeviceView:
    """Show one device."""
    view = device_of(context.services, device_id)
    if view is None:
        raise Problem(404, "there is no such device", reference="not-found")
    return view
