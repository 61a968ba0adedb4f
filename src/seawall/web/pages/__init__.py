"""Pages for people; a file per page."""

from __future__ import annotations

from fastapi import APIRouter

from seawall.web.pages import device, fleet, refusals, signin

router = APIRouter(include_in_schema=False)
for _page in (fleet, device, refusals, signin):
    router.include_router(_page.router)
