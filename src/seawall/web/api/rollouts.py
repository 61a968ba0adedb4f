"""`/api/v1/rollouts`: roll-outs, the way of each device, and orders about them."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from seawall.model.ids import MAX_DEVICE_ID_CHARS
from seawall.model.rollout import Plan
from seawall.operations.start_rollout import NewRollout
from seawall.updates.rollout_start import MAX_COHORTS, MAX_SPAN_MS, MIN_SILENCE_MS
from seawall.web.api.description import CONFLICT, FORBIDDEN, NOT_FOUND
from seawall.web.context import Context, OperatorIdentity
from seawall.web.rollouts import (
    RolloutDetailsView,
    RolloutView,
    StartedView,
    details_view,
    rollout_view,
)
from seawall.wire.commands import MAX_TRIAL_S, MIN_TRIAL_S

router = APIRouter(tags=["roll-outs"])

_DEFAULT: Final = Plan()


class RolloutOrder(BaseModel):
    """A roll-out that is to be started."""

    model_config = ConfigDict(extra="forbid", strict=True)

    release: str = Field(
        min_length=1, max_length=100, description="BOARD/VERSION, or a version of one board alone"
    )
    pattern: str = Field("*", min_length=1, max_length=200, description="device ids, as a glob")
    group: str = Field("", max_length=MAX_DEVICE_ID_CHARS, description="empty for any")
    cohorts: list[int] = Field(
        list(_DEFAULT.cohorts),
        min_length=1,
        max_length=MAX_COHORTS,
        description="percent of the devices after each cohort, growing, the last one 100",
    )
    soak_ms: int = Field(_DEFAULT.soak_ms, ge=0, le=MAX_SPAN_MS)
    halt_percent: float = Field(_DEFAULT.halt_percent, ge=0, le=100)
    silence_ms: int = Field(_DEFAULT.silence_ms, ge=MIN_SILENCE_MS, le=MAX_SPAN_MS)
    trial_s: int = Field(_DEFAULT.trial_s, ge=MIN_TRIAL_S, le=MAX_TRIAL_S)
    again: bool = Field(False, description="offer it, too, to devices that failed for good before")


class RolloutStateOrder(BaseModel):
    """What becomes of a roll-out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    state: Literal["paused", "running", "aborted"] = Field(
        description="`running` resumes one that is paused or halted"
    )


@router.get("/api/v1/rollouts")
def list_rollouts(context: Context) -> list[RolloutView]:
    """List the roll-outs, the newest last."""
    return [rollout_view(*each) for each in context.services.rollouts.list()]


@router.post("/api/v1/rollouts", status_code=201, responses=NOT_FOUND | FORBIDDEN | CONFLICT)
async def start_rollout(
    context: Context, identity: OperatorIdentity, order: RolloutOrder
) -> StartedView:
    """Start a roll-out."""
    plan = Plan(
        cohorts=tuple(order.cohorts),
        soak_ms=order.soak_ms,
        halt_percent=order.halt_percent,
        silence_ms=order.silence_ms,
        trial_s=order.trial_s,
    )
    new = NewRollout(order.release, order.pattern, order.group, plan, order.again)
    started = await asyncio.to_thread(context.services.rollouts.start, identity.user_name, new)
    shown = details_view(started.rollout, started.ways, {})
    return StartedView(**dict(shown), left_out=started.left_out)


@router.get("/api/v1/rollouts/{rollout_id}", responses=NOT_FOUND)
def show_rollout(context: Context, rollout_id: str) -> RolloutDetailsView:
    """Show a roll-out and the way of each device."""
    details = context.services.rollouts.show(rollout_id)
    return details_view(details.rollout, details.ways, details.software)


@router.patch("/api/v1/rollouts/{rollout_id}", responses=NOT_FOUND | FORBIDDEN | CONFLICT)
async def order_rollout(
    context: Context, identity: OperatorIdentity, rollout_id: str, order: RolloutStateOrder
) -> RolloutDetailsView:
    """Pause, resume or abort a roll-out."""
    rollouts = context.services.rollouts
    verbs = {"paused": rollouts.pause, "running": rollouts.resume, "aborted": rollouts.abort}
    await asyncio.to_thread(verbs[order.state], identity.user_name, rollout_id)
    details = await asyncio.to_thread(rollouts.show, rollout_id)
    return details_view(details.rollout, details.ways, details.software)
