"""`/devices/{id}/commands`: the device page's buttons, which work without scripts."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from fastapi import APIRouter, Response
from starlette.responses import RedirectResponse

from seawall.operations.send_command import Order
from seawall.web.context import Context, OperatorIdentity

router = APIRouter()


@router.post("/devices/{device_id}/identify")
async def identify(context: Context, identity: OperatorIdentity, device_id: str) -> Response:
    """Queue the command; back on the device's page it is in the list."""
    await asyncio.to_thread(
        context.services.send_command, identity.user_name, device_id, Order("identify")
    )
    return RedirectResponse(f"/devices/{quote(device_id, safe='')}#commands-heading", 303)
