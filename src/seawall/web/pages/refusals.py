"""`/refusals`: everything that was refused and is kept."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from seawall.model.ids import is_device_id
from seawall.model.reading import Reason
from seawall.web.context import Context
from seawall.web.fleet import refusal_view

router = APIRouter()

SHOWN: Final = 200


@router.get("/refusals")
def refusals_page(
    request: Request,
    context: Context,
    device: Annotated[str, Query(max_length=64)] = "",
    reason: Annotated[str, Query(max_length=32)] = "",
) -> Response:
    """Show the newest refusals, of one device or for one reason if asked."""
    wanted = next((known for known in Reason if known.value == reason), None)
    device_id = device if is_device_id(device) else None
    store = context.services.store
    found = store.refusals(device_id=device_id, reason=wanted, last=SHOWN)
    counts = store.refusal_counts()
    refusals = [refusal_view(*entry) for entry in reversed(found)]
    return context.pages.render(
        request,
        "refusals.html",
        refusals=refusals,
        counts={known.value: counts[known] for known in Reason if counts.get(known)},
        total=sum(counts.values()),
        device_id=device_id or "",
        reason=wanted.value if wanted else "",
        newest_refusal=refusals[0].id if refusals else 0,
    )
