"""The HTTP API, version 1; a file per resource."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.api import (
    audit,
    commands,
    description,
    devices,
    live,
    readings,
    refusals,
    releases,
    rollouts,
    session,
    summary,
)

router = APIRouter()
_resources = (
    devices, commands, readings, refusals, releases, rollouts, summary, audit, live, session,
    description,
)  # fmt: skip
for _resource in _resources:
    router.include_router(_resource.router)
