"""The HTTP API, version 1; a file per resource."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.api import (
    commands,
    description,
    devices,
    live,
    readings,
    refusals,
    session,
    summary,
)

router = APIRouter()
for _resource in (devices, commands, readings, refusals, summary, live, session, description):
    router.include_router(_resource.router)
