"""`/devices/{id}`: one device."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from seawall.model.history import ReadingQuery
from seawall.model.user import Role
from seawall.web.context import Context, SignedInIdentity
from seawall.web.fleet import device_of, refusal_view
from seawall.web.problems import Problem
from seawall.web.units import primary_metric

router = APIRouter()

SHOWN_REFUSALS: Final = 20
SHOWN_READINGS: Final = 12
SHOWN_COMMANDS: Final = 5
NEVER_ORDERED: Final = ("disabled", "revoked")
RANGES: Final = (
    ("15m", "15 min", 15 * 60_000),
    ("1h", "1 hour", 3_600_000),
    ("6h", "6 hours", 6 * 3_600_000),
    ("24h", "1 day", 24 * 3_600_000),
    ("7d", "7 days", 7 * 24 * 3_600_000),
    ("30d", "30 days", 30 * 24 * 3_600_000),
)


@router.get("/devices/{device_id}")
def device_page(
    request: Request, context: Context, identity: SignedInIdentity, device_id: str
) -> Response:
    """Show one device: its chart, newest readings, identity, commands and refused messages."""
    view = device_of(context.services, device_id)
    if view is None:
        raise Problem(404, f"there is no device {device_id[:64]}", reference="not-found")
    store = context.services.store
    metrics = store.metrics(device_id)
    readings = list(store.readings(ReadingQuery(device_id, last=SHOWN_READINGS)))
    first = next(iter(store.readings(ReadingQuery(device_id))), None)
    found = store.refusals(device_id=device_id, last=SHOWN_REFUSALS)
    refusals = [refusal_view(*entry) for entry in reversed(found)]
    return context.pages.render(
        request,
        "device.html",
        device=view,
        metrics=metrics,
        metric=primary_metric(metrics),
        ranges=RANGES,
        # Old readings may lie before every range that ends now.
        all_ms=(first.ts_ms, readings[-1].ts_ms + 1) if first and readings else None,
        readings=list(reversed(readings)),
        refusals=refusals,
        commands=list(reversed(store.commands(device_id=device_id, last=SHOWN_COMMANDS))),
        may_order=identity.role.includes(Role.OPERATOR) and view.state not in NEVER_ORDERED,
        newest_refusal=refusals[0].id if refusals else 0,
    )
