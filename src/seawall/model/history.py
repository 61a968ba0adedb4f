"""Questions about stored readings, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ReadingQuery:
    """Which readings are asked for.

    Attributes:
        device_id: One device, or None for all.
        metric: Only readings that have this metric, or None for all.
        since_ms: From this time on, UTC milliseconds, inclusive; None: from the first.
        until_ms: Up to this time, exclusive; None: to the last.
        last: Only this many, the newest; None: all. Answers are in order of time all the same.
    """

    device_id: str | None = None
    metric: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    last: int | None = None


class Bucket(NamedTuple):
    """A span of a series put into one point. ``start_ms`` is UTC milliseconds."""

    start_ms: int
    count: int  # type: ignore[assignment]  # hides tuple.count, which a span has no use for
    minimum: float
    mean: float
    maximum: float


class DeviceActivity(NamedTuple):
    """What the store knows of a device's traffic.

    Attributes:
        device_id: Whose.
        readings: How many are stored.
        last: The newest one by time of measurement, or None.
        refusals: How many of its messages were refused.
    """

    device_id: str
    readings: int
    last_ts_ms: int | None
    last_received_ms: int | None
    last_body: bytes | None
    refusals: int
