"""Pages for people; a file per page."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.pages import commands, device, fleet, refusals, signin

router = APIRouter(include_in_schema=False)
for _page in (fleet, device, commands, refusals, signin):
    router.include_router(_page.router)
