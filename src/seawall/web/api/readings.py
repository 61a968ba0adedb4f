"""`/api/v1/devices/{id}/readings` and `/api/v1/sparklines`: what devices have measured."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from seawall.model.history import ReadingQuery
from seawall.model.ids import MAX_METRIC_CHARS
from seawall.model.reading import MAX_TS_MS
from seawall.store.contract import Store
from seawall.web.api.description import NOT_FOUND
from seawall.web.context import Context
from seawall.web.fleet import numeric_metrics
from seawall.web.problems import Problem
from seawall.web.units import primary_metric, unit_of

router = APIRouter(tags=["readings"])

DEFAULT_SPAN_MS: Final = 3_600_000
DEFAULT_POINTS: Final = 600
MAX_POINTS: Final = 5_000
SPARKLINE_SLOTS: Final = 40
SPARKLINE_SLOT_AT_LEAST_MS: Final = 2_000
MAX_SPARKLINES: Final = 50

Column = list[float]


class ReadingsQuestion(BaseModel):
    """Parameters of a history."""

    model_config = ConfigDict(extra="forbid")

    metric: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_METRIC_CHARS,
        description="default: the one that stands for the device",
    )
    since: int | None = Field(None, ge=0, lt=MAX_TS_MS, description="inclusive; default: 1 h ago")
    until: int | None = Field(None, ge=0, le=MAX_TS_MS, description="exclusive; default: now")
    points: int = Field(DEFAULT_POINTS, ge=1, le=MAX_POINTS, description="at most so many points")


class History(BaseModel):
    """One metric of one device, in columns of equal length, oldest first.

    With ``bucket_ms`` 0 every point is one reading. Else a point stands for all
    readings of a span of that length, and ``t`` is where the span begins.
    """

    device_id: str
    metric: str | None
    unit: str
    since_ms: int
    until_ms: int
    bucket_ms: int
    interval_ms: int = Field(description="how often the device measures")
    t: list[int] = Field(description="UTC milliseconds")
    count: list[int]
    min: list[float]
    mean: list[float]
    max: list[float]


@router.get("/api/v1/devices/{device_id}/readings", response_model=History, responses=NOT_FOUND)
def read_history(
    context: Context, device_id: str, question: Annotated[ReadingsQuestion, Query()]
) -> Response:
    """Return the history of one metric, as readings or, where there are too many, as spans."""
    store = context.services.store
    device = store.device(device_id)
    if device is None:
        raise Problem(404, "there is no such device", reference="not-found")
    until_ms = context.services.now_ms() + 1 if question.until is None else question.until
    since_ms = max(0, until_ms - DEFAULT_SPAN_MS) if question.since is None else question.since
    if since_ms >= until_ms:
        raise Problem(
            400,
            "not as described: since",
            reference="bad-parameter",
            errors=[{"in": "query", "field": "since", "message": "must be before until"}],
        )
    metric = question.metric or primary_metric(store.metrics(device_id))
    history: dict[str, object] = {
        "device_id": device_id,
        "metric": metric,
        "unit": unit_of(metric) if metric else "",
        "since_ms": since_ms,
        "until_ms": until_ms,
        "interval_ms": device.interval_ms,
    }
    history |= _columns(store, device_id, metric, since_ms, until_ms, question.points)
    return Response(msgspec.json.encode(history), media_type="application/json")


def _columns(
    store: Store, device_id: str, metric: str | None, since_ms: int, until_ms: int, points: int
) -> dict[str, object]:
    if metric is None:
        return {"bucket_ms": 0, "t": [], "count": [], "min": [], "mean": [], "max": []}
    query = ReadingQuery(device_id, metric, since_ms, until_ms, last=points + 1)
    readings = list(store.readings(query))
    if len(readings) <= points:
        pairs = [
            (reading.ts_ms, value)
            for reading in readings
            if (value := numeric_metrics(reading.body).get(metric)) is not None
        ]
        values = [value for _, value in pairs]
        times = [ts_ms for ts_ms, _ in pairs]
        ones = [1] * len(pairs)
        return {
            "bucket_ms": 0, "t": times, "count": ones, "min": values, "mean": values, "max": values
        }  # fmt: skip
    buckets = store.buckets(device_id, metric, since_ms, until_ms, points)
    return {
        "bucket_ms": -(-(until_ms - since_ms) // points),
        "t": [bucket.start_ms for bucket in buckets],
        "count": [bucket.count for bucket in buckets],
        "min": [bucket.minimum for bucket in buckets],
        "mean": [bucket.mean for bucket in buckets],
        "max": [bucket.maximum for bucket in buckets],
    }


class SparklinesQuestion(BaseModel):
    """Parameters of the small pictures in the fleet table."""

    model_config = ConfigDict(extra="forbid")

    device: list[str] = Field(min_length=1, max_length=MAX_SPARKLINES)


class Sparkline(BaseModel):
    """The last while of a device: ``counts`` and ``means`` of equal slots, oldest first."""

    device_id: str
    metric: str | None
    until_ms: int
    slot_ms: int
    counts: list[int]
    means: list[float | None]


@router.get("/api/v1/sparklines")
def read_sparklines(
    context: Context, question: Annotated[SparklinesQuestion, Query()]
) -> list[Sparkline]:
    """Return the last forty slots of several devices; unknown ones are left out."""
    store, now_ms = context.services.store, context.services.now_ms()
    answer = []
    for device_id in dict.fromkeys(question.device):
        device = store.device(device_id)
        if device is None:
            continue
        # Twice the interval, so that a reading that is a little late leaves no hole.
        slot_ms = max(2 * device.interval_ms, SPARKLINE_SLOT_AT_LEAST_MS)
        until_ms = (now_ms // slot_ms + 1) * slot_ms
        metric = primary_metric(store.metrics(device_id))
        answer.append(_sparkline(store, device_id, metric, until_ms, slot_ms))
    return answer


def _sparkline(
    store: Store, device_id: str, metric: str | None, until_ms: int, slot_ms: int
) -> Sparkline:
    counts = [0] * SPARKLINE_SLOTS
    means: list[float | None] = [None] * SPARKLINE_SLOTS
    since_ms = until_ms - SPARKLINE_SLOTS * slot_ms
    if metric is not None:
        for bucket in store.buckets(device_id, metric, since_ms, until_ms, SPARKLINE_SLOTS):
            slot = (bucket.start_ms - since_ms) // slot_ms
            counts[slot] = bucket.count
            means[slot] = bucket.mean
    return Sparkline(
        device_id=device_id,
        metric=metric,
        until_ms=until_ms,
        slot_ms=slot_ms,
        counts=counts,
        means=means,
    )
