"""`/`: the fleet."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from seawall.web.context import Context
from seawall.web.fleet import fleet_of, refusal_view

router = APIRouter()

SHOWN_REFUSALS = 30


@router.get("/")
def fleet_page(request: Request, context: Context) -> Response:
    """Show all devices, worst first, and what was refused."""
    store = context.services.store
    refusals = [refusal_view(*entry) for entry in reversed(store.refusals(last=SHOWN_REFUSALS))]
    return context.pages.render(
        request,
        "fleet.html",
        summary=context.figures.summary(),
        devices=fleet_of(context.services),
        refusals=refusals,
        newest_refusal=refusals[0].id if refusals else 0,
    )
