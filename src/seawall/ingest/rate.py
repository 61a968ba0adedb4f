"""How many entries a device may add to the log of events. Pure."""

from __future__ import annotations

from typing import Final

BURST: Final = 20
REFILL_MS: Final = 2000
"""One more every two seconds: what happens to a device is for people to read."""


class NoteLimit:
    """A token bucket for each device.

    Args:
        burst: So many at once.
        refill_ms: One more after this time, milliseconds.
    """

    def __init__(self, burst: int = BURST, refill_ms: int = REFILL_MS) -> None:
        self._burst = burst
        self._refill_ms = refill_ms
        self._full_at_ms: dict[str, int] = {}

    def allows(self, device_id: str, now_ms: int) -> bool:
        """Take one; False if there is none left."""
        full_at_ms = max(now_ms, self._full_at_ms.get(device_id, 0)) + self._refill_ms
        if full_at_ms - now_ms > self._burst * self._refill_ms:
            return False
        self._full_at_ms[device_id] = full_at_ms
        return True

    def forget(self, device_ids: set[str]) -> None:
        """Drop all devices that are not among these."""
        for device_id in self._full_at_ms.keys() - device_ids:
            del self._full_at_ms[device_id]
