"""Refusals on their way to the store, so few that a flood cannot fill it.

A source (a device, else an address) has `BURST` refusals of one reason at once
and one more every `REFILL_S` seconds; all sources together have `TOTAL_BURST`
and `TOTAL_RATE` a second. What is over that is counted, and the next refusal of
the source that goes through says how many were left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from seawall.model.reading import MAX_KEPT_PAYLOAD_BYTES, Reason, Refusal

BURST: Final = 10.0
REFILL_S: Final = 10.0
TOTAL_BURST: Final = 200.0
TOTAL_RATE: Final = 20.0
MAX_SOURCES: Final = 2_048


class _Bucket:
    __slots__ = ("at", "left", "suppressed")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        self.suppressed = 0

    def take(self, now: float, rate: float, burst: float) -> bool:
        self.left = min(burst, self.left + (now - self.at) * rate)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class RefusalFilter:
    """Passes refusals on within the limits above.

    Args:
        refuse: Where they go.
        clock: Monotonic seconds.
        now_ms: UTC milliseconds.
    """

    def __init__(
        self,
        refuse: Callable[[Refusal], None],
        *,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._refuse = refuse
        self._now = clock
        self._now_ms = now_ms
        self._total = _Bucket(TOTAL_BURST, 0.0)
        self._sources: dict[tuple[str, Reason], _Bucket] = {}
        self.suppressed = 0
        """How many were left out since the start."""

    def note(
        self,
        reason: Reason,
        detail: str,
        *,
        device_id: str | None = None,
        topic: str = "",
        payload: bytes = b"",
        peer: str = "",
    ) -> None:
        """Pass a refusal on, or count it."""
        kept = payload[:MAX_KEPT_PAYLOAD_BYTES]
        at_ms = self._now_ms()
        self._pass_on(
            Refusal(at_ms, reason, device_id, topic, detail, kept, len(payload), peer), self._now()
        )

    def _pass_on(self, refusal: Refusal, now: float) -> None:
        source = refusal.device_id or refusal.peer.rpartition(":")[0]
        key = (source, refusal.reason)
        bucket = self._sources.pop(key, None) or _Bucket(BURST, now)
        self._sources[key] = bucket  # at the end: the first one is the least recent
        if len(self._sources) > MAX_SOURCES:
            del self._sources[next(iter(self._sources))]
        if not bucket.take(now, 1 / REFILL_S, BURST) or not self._total.take(
            now, TOTAL_RATE, TOTAL_BURST
        ):
            bucket.suppressed += 1
            self.suppressed += 1
            return
        if bucket.suppressed:
            more = f" (and {bucket.suppressed} more like it that were not kept)"
            refusal = replace(refusal, detail=refusal.detail + more)
            bucket.suppressed = 0
        self._refuse(refusal)
