"""`/api/v1/audit`: the last audit of this installation by itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter

from seawall.errors import NotFoundError
from seawall.web.api.description import FORBIDDEN, NOT_FOUND
from seawall.web.context import Context, OperatorIdentity

router = APIRouter(tags=["audit"])


@router.get("/api/v1/audit", responses=NOT_FOUND | FORBIDDEN)
async def read_audit(context: Context, _: OperatorIdentity) -> dict[str, Any]:
    """Return what `seawall audit --json` printed last night. It names weak places: no viewers."""
    report = await asyncio.to_thread(context.services.last_audit)
    if report is None:
        raise NotFoundError(
            "this installation has not been audited yet",
            reference="no-audit",
            hint="it is audited each night while 'seawall up' runs",
        )
    told: dict[str, Any] = json.loads(report)
    return told
