"""Up to where a device may forget its readings, when a broker stands in between.

Such a broker's PUBACK promises nothing, so ingest says ``stored`` up to a (boot,
seq). That must never cover a reading that the broker lost on its way here: a
killed Mosquitto forgets what it has acknowledged, and one that starts anew may
have no subscription of ours for a moment. A device numbers the readings of a
boot without gaps and, each time that it connects, sends again all that is not
settled, oldest first. So the line of a device starts where a connection of it
starts, moves over consecutive numbers only, and stops at a gap until the device
connects again.
"""

from __future__ import annotations

from typing import Final

_Place = tuple[int, int]

_FIRST_NUMBERS: Final = frozenset({0, 1})
"""What a device may call the first reading of a boot."""


class Progress:
    """The line of each device. Pure."""

    def __init__(self) -> None:
        # Missing: unknown, hold. None: the next message starts the line.
        self._next: dict[str, _Place | None] = {}
        self._followed: set[str] = set()
        self._news: dict[str, _Place] = {}

    def resume(self, device_id: str, boot: int, seq: int) -> None:
        """Take up what was stored before this process started."""
        self._next[device_id] = (boot, seq + 1)

    def connected(self, device_id: str) -> None:
        """A device began a connection: its next message is the oldest that it still holds."""
        self._next[device_id] = None
        self._followed.add(device_id)

    def was_connected(self, device_id: str) -> None:
        """A device's connection began while we did not listen, so messages may be missing."""
        self._followed.discard(device_id)

    def settled(self, device_id: str, boot: int, seq: int) -> None:
        """A message of this device will be durable, or durably refused, with this batch."""
        if device_id not in self._next:
            return
        expected = self._next[device_id]
        if expected is None or expected == (boot, seq) or self._begins_boot(device_id, boot, seq):
            self._next[device_id] = (boot, seq + 1)
            self._news[device_id] = (boot, seq)
        elif boot == expected[0] and seq < expected[1]:
            # Sent once more: the device has not heard of it yet.
            self._news[device_id] = (boot, expected[1] - 1)

    def take(self) -> dict[str, _Place]:
        """Return the lines that moved since the last call; to be told after the commit."""
        news = self._news
        self._news = {}
        return news

    def _begins_boot(self, device_id: str, boot: int, seq: int) -> bool:
        """Whether this is the next one in an outbox that reaches over boots."""
        expected = self._next[device_id]
        return (
            expected is not None
            and boot > expected[0]
            and seq in _FIRST_NUMBERS
            and device_id in self._followed
        )
