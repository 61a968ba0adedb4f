"""How many a second, from a counter that only grows. Pure."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_MS: Final = 10_000
STALE_MS: Final = 60_000
"""A look that is older says nothing about now."""


class RateMeter:
    """Rate over the last ten seconds, or over as much as has been seen."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque()

    def add(self, now_ms: int, total: int) -> None:
        """Take note of the counter. A counter that went back has started anew."""
        if self._seen and (total < self._seen[-1][1] or now_ms < self._seen[-1][0]):
            self._seen.clear()
        self._seen.append((now_ms, total))
        while self._seen[0][0] < now_ms - STALE_MS:
            self._seen.popleft()
        while len(self._seen) > 2 and self._seen[1][0] <= now_ms - WINDOW_MS:
            self._seen.popleft()

    def per_second(self) -> float | None:
        """Return the rate; None before there are two looks at least a second apart."""
        if len(self._seen) < 2:
            return None
        (first_ms, first), (last_ms, last) = self._seen[0], self._seen[-1]
        if last_ms - first_ms < 1_000:
            return None
        return (last - first) * 1000 / (last_ms - first_ms)
