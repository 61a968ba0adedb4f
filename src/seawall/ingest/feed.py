"""What happens, as it happens, for whoever looks: fan-out to bounded queues.

Nothing is encoded while nobody looks. A subscriber that is too slow loses the
oldest events, never holds up ingest, and is told by an event ``resync``.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from seawall.ingest.presence import StatusChange
from seawall.model.reading import RESERVED_MEMBERS, Reading, Refusal

MAX_WAITING_EVENTS: Final = 2000
MANY_READINGS: Final = 200
"""Of a larger batch only each device's newest reading is told."""

READING: Final = "reading"
REFUSAL: Final = "refusal"
PRESENCE: Final = "presence"
RESYNC: Final = "resync"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, int | float | str | bool | None]).decode

FeedEvent = tuple[str, bytes]
"""Name, and one line of JSON."""


class Subscription:
    """One reader's queue: an asynchronous iterator of (name, JSON)."""

    def __init__(self, feed: Feed, max_events: int) -> None:
        self._feed = feed
        self._events: deque[FeedEvent] = deque(maxlen=max_events)
        self._lost = 0
        self._ready = asyncio.Event()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> FeedEvent:
        while not self._events:
            if self._feed.is_closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        if self._lost:
            lost, self._lost = self._lost, 0
            return RESYNC, b'{"lost":%d}' % lost
        return self._events.popleft()

    async def aclose(self) -> None:
        """Stop listening. Idempotent."""
        self._feed.leave(self)

    def put(self, events: Sequence[FeedEvent]) -> None:
        """Add events; the oldest give way."""
        room = (self._events.maxlen or 0) - len(self._events)
        self._lost += max(0, len(events) - room)
        self._events.extend(events)
        self._ready.set()

    def wake(self) -> None:
        """Have the reader look again."""
        self._ready.set()


class Feed:
    """Tells subscribers of readings, refusals and presence. Used on one event loop.

    Events, each one line of JSON:

    - ``reading``: ``device_id``, ``ts_ms``, ``received_ms``, ``boot``, ``seq``, ``metrics``.
    - ``refusal``: ``device_id``, ``at_ms``, ``reason``, ``topic``, ``detail``,
      ``payload_bytes``, ``peer``.
    - ``presence``: ``device_id``, ``online``, ``since_ms``.
    - ``resync``: ``lost``, how many events this subscriber was too slow for.
    """

    def __init__(self, max_waiting: int = MAX_WAITING_EVENTS) -> None:
        self._max_waiting = max_waiting
        self._subscriptions: set[Subscription] = set()
        self.is_closed = False

    @property
    def subscribers(self) -> int:
        """How many are listening."""
        return len(self._subscriptions)

    def subscribe(self) -> Subscription:
        """Listen from now on; iterate over it, and close it with ``aclose``."""
        subscription = Subscription(self, self._max_waiting)
        self._subscriptions.add(subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscriber."""
        self._subscriptions.discard(subscription)

    def close(self) -> None:
        """End every subscription."""
        self.is_closed = True
        for subscription in self._subscriptions:
            subscription.wake()

    def tell_batch(self, readings: Sequence[Reading], refusals: Sequence[Refusal]) -> None:
        """Tell what was committed."""
        if not self._subscriptions:
            return
        shown: Iterable[Reading] = readings
        if len(readings) > MANY_READINGS:
            shown = {reading.device_id: reading for reading in readings}.values()
        events = [(READING, _reading(reading)) for reading in shown]
        self._tell(events + [(REFUSAL, _refusal(refusal)) for refusal in refusals])

    def tell_presence(self, change: StatusChange) -> None:
        """Tell that a device came or went."""
        if self._subscriptions:
            facts = {
                "device_id": change.device_id,
                "online": change.online,
                "since_ms": change.at_ms,
            }
            self._tell([(PRESENCE, _encode(facts))])

    def _tell(self, events: Sequence[FeedEvent]) -> None:
        if events:
            for subscription in self._subscriptions:
                subscription.put(events)


def _reading(reading: Reading) -> bytes:
    metrics = {
        name: value
        for name, value in _decode(reading.body).items()
        if type(value) in (int, float) and name not in RESERVED_MEMBERS
    }
    return _encode(
        {
            "device_id": reading.device_id,
            "ts_ms": reading.ts_ms,
            "received_ms": reading.received_ms,
            "boot": reading.boot,
            "seq": reading.seq,
            "metrics": metrics,
        }
    )


def _refusal(refusal: Refusal) -> bytes:
    return _encode(
        {
            "device_id": refusal.device_id,
            "at_ms": refusal.at_ms,
            "reason": refusal.reason.value,
            "topic": refusal.topic,
            "detail": refusal.detail,
            "payload_bytes": refusal.payload_bytes,
            "peer": refusal.peer,
        }
    )
