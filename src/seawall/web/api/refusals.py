"""`/api/v1/refusals`: messages that were refused."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from seawall.model.ids import MAX_DEVICE_ID_CHARS
from seawall.model.reading import Reason
from seawall.web.context import Context
from seawall.web.fleet import RefusalView, refusal_view

router = APIRouter(tags=["refusals"])


class RefusalsQuestion(BaseModel):
    """Parameters of a list of refusals."""

    model_config = ConfigDict(extra="forbid")

    device: str | None = Field(None, min_length=1, max_length=MAX_DEVICE_ID_CHARS)
    reason: Reason | None = None
    after: int = Field(0, ge=0, lt=2**53, description="leave out refusals up to this id")
    last: int = Field(100, ge=1, le=1000, description="at most so many, the newest")


class Refusals(BaseModel):
    """Refused messages, newest first. They are kept apart: none is stored as a reading."""

    total: int = Field(description="refused since the store was made, whatever was asked for")
    refusals: list[RefusalView]


@router.get("/api/v1/refusals")
def list_refusals(context: Context, question: Annotated[RefusalsQuestion, Query()]) -> Refusals:
    """List refused messages, newest first."""
    store = context.services.store
    found = store.refusals(
        device_id=question.device,
        reason=question.reason,
        last=question.last,
        after=question.after,
    )
    return Refusals(
        total=sum(store.refusal_counts().values()),
        refusals=[refusal_view(number, refusal) for number, refusal in reversed(found)],
    )
