"""One connection to a broker: receives for ingest, and acknowledges what is stored."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from seawall.errors import ServiceError
from seawall.ingest.link import Link
from seawall.ingest.resending import Resending
from seawall.model.message import Inbound
from seawall.wire.mqtt.client import (
    ClientConnection,
    Connected,
    Event,
    Lost,
    Published,
    Received,
    Subscribed,
)
from seawall.wire.mqtt.encoder import PINGREQ
from seawall.wire.mqtt.packets import Connect, Publish
from seawall.wire.mqtt.packets import Subscription as Filter

_REFUSED: Final = 0x80
_RECHECK_S: Final = 0.02
_WATCH_S: Final = 1.0
_SILENCE_S: Final = 10.0
"""An answer (CONNACK, SUBACK, the message to ourselves, PINGRESP) must come within this."""


class Sink(Protocol):
    """What takes the messages (structurally, ``broker.port.Sink``)."""

    def submit(self, messages: Sequence[Inbound], settled: Callable[[Sequence[Any]], None]) -> None:
        """Take messages in order; ``settled`` is called with their tokens once they are stored."""

    @property
    def congested(self) -> bool:
        """Whether reading should stop for a while."""


class Subscription:
    """The life of one connection, from CONNECT to its loss.

    A granted SUBACK proves nothing (Mosquitto grants what its ACL denies), so
    the subscription publishes a message to itself. What arrives before that one
    had been queued before the connection, and may have been delivered to an
    earlier one: a Mosquitto that was killed delivers again, without DUP, what
    its last save held.

    Args:
        link: An open connection, not yet reading.
        connect: What to ask for; the session is persistent unless it says otherwise.
        filters: Topic filters, all with QoS 1.
        sink: Where messages go.
        resending: Shared by all connections of a subscriber.
        now_ms: The clock, UTC milliseconds.
    """

    def __init__(
        self,
        link: Link,
        connect: Connect,
        filters: Sequence[str],
        sink: Sink,
        *,
        resending: Resending,
        now_ms: Callable[[], int],
    ) -> None:
        self._link = link
        self._filters = filters
        self._sink = sink
        self._resending = resending
        self._now_ms = now_ms
        self._keep_alive_s = float(connect.keep_alive_s)
        self._machine = ClientConnection(connect, now=time.monotonic())
        self._self_topic = f"devices/{connect.client_id}/self"
        self._self_payload = secrets.token_hex(16).encode()
        self._own_ids: deque[tuple[int, int]] = deque()
        self._backlog = True
        self._paused = False
        self._rechecking: asyncio.TimerHandle | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._submitted = 0
        self._settled = 0
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._heard_at = self._said_at = time.monotonic()
        self.proven: asyncio.Future[None] = loop.create_future()
        """Done when messages are known to arrive."""
        self.lost: asyncio.Future[str] = loop.create_future()
        """Done, with the reason, when the connection is of no use any more."""
        self.session_present = False

    def begin(self) -> None:
        """Send CONNECT and read."""
        self._resending.doubt_all()
        self._link.on_data = self._receive
        self._link.on_closed = self._end
        self._say()
        self._link.resume()
        self._watch()

    async def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Publish with QoS 1; return when the broker has it.

        Raises:
            ServiceError: the connection was lost before it said so.
        """
        if self.lost.done():
            raise ServiceError("the connection to the broker is lost", reference="broker-lost")
        packet_id = self._machine.publish(
            topic, payload, now=time.monotonic(), qos=1, retain=retain
        )
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting[packet_id] = done
        self._say()
        await done

    def close(self) -> None:
        """Say good-bye and close; what is not acknowledged comes again."""
        if not self.lost.done():
            self._machine.disconnect(now=time.monotonic())
            self._say()
            self._end("closed by us")

    # -- receiving

    def _receive(self, data: bytes) -> None:
        self._heard_at = now = time.monotonic()
        for event in self._machine.receive_data(data, now):
            if type(event) is Received:
                self._take(event.messages)
            else:
                self._handle(event)
        self._say()

    def _take(self, messages: list[Publish]) -> None:
        now_ms = self._now_ms()
        make = tuple.__new__
        ordinary = self._resending.ordinary
        inbound: list[Inbound] = []
        append = inbound.append
        without_token = 0
        for message in messages:
            topic, payload, _, retain, dup, packet_id, _ = message
            if topic not in ordinary:
                if topic == self._self_topic:
                    self._take_own(message, self._submitted + len(inbound) - without_token)
                    continue
                dup = self._doubt(message)
            if not packet_id:
                without_token += 1
            append(
                make(
                    Inbound,
                    (None, topic, payload, dup, now_ms, retain, packet_id or None, ""),
                )
            )
        if inbound:
            self._submitted += len(inbound) - without_token
            self._sink.submit(inbound, self._acknowledge)
            if self._sink.congested:
                self._hold()

    def _doubt(self, message: Publish) -> bool:
        """Tell whether a message may be a re-delivery; let the loop pass the next one if not."""
        may_be = self._resending.judge(message.topic, message.payload)
        if may_be or self._backlog:
            return True
        self._resending.trust(message.topic)
        return message.dup

    def _take_own(self, message: Publish, position: int) -> None:
        """Take the message to ourselves; it is acknowledged in its turn [MQTT-4.6.0-2]."""
        if message.payload == self._self_payload and not self.proven.done():
            self._backlog = False
            self.proven.set_result(None)
        if message.packet_id:
            self._own_ids.append((position, message.packet_id))
            self._acknowledge_own()

    def _handle(self, event: Event) -> None:
        if isinstance(event, Connected):
            self.session_present = event.session_present
            self._backlog = event.session_present
            filters = [Filter(topic_filter, 1) for topic_filter in self._filters]
            filters.append(Filter(self._self_topic, 1))
            self._machine.subscribe(filters, now=self._heard_at)
        elif isinstance(event, Subscribed):
            if max(event.codes) >= _REFUSED:
                self._end("the broker refuses our subscription")
                return
            self._machine.publish(self._self_topic, self._self_payload, now=self._heard_at, qos=1)
        elif isinstance(event, Published):
            for packet_id, code in zip(event.packet_ids, event.codes, strict=True):
                self._published(packet_id, code)
        elif isinstance(event, Lost):
            self._end(str(event.error))

    def _published(self, packet_id: int, code: int) -> None:
        done = self._waiting.pop(packet_id, None)
        if done is None or done.done():
            return
        if code >= _REFUSED:
            error = ServiceError(
                f"the broker refuses a message to a device, code 0x{code:02x}",
                reference="broker-refused",
            )
            done.set_exception(error)
        else:
            done.set_result(None)

    # -- acknowledging

    def _acknowledge(self, tokens: Sequence[Any]) -> None:
        """Acknowledge messages that are stored; those of a lost connection come again anyway."""
        if self.lost.done():
            return
        self._settled += len(tokens)
        self._machine.acknowledge(tokens, now=time.monotonic())
        self._acknowledge_own()
        self._say()
        if self._paused:
            self._go_on()

    def _acknowledge_own(self) -> None:
        while self._own_ids and self._own_ids[0][0] <= self._settled:
            _, packet_id = self._own_ids.popleft()
            self._machine.acknowledge([packet_id], now=time.monotonic())

    def _hold(self) -> None:
        if not self._paused and not self.lost.done():
            self._paused = True
            self._link.pause()
            self._recheck_later()

    def _recheck_later(self) -> None:
        if self._rechecking is not None:
            self._rechecking.cancel()
        self._rechecking = self._loop.call_later(_RECHECK_S, self._recheck)

    def _recheck(self) -> None:
        if self._paused and not self.lost.done():
            if self._sink.congested:
                self._recheck_later()
            else:
                self._go_on()

    def _go_on(self) -> None:
        if not self._sink.congested and not self.lost.done():
            self._paused = False
            self._heard_at = time.monotonic()
            self._link.resume()

    # -- speaking, and noticing silence

    def _say(self) -> None:
        data = self._machine.data_to_send()
        if data:
            self._said_at = time.monotonic()
            self._link.write(data)

    def _watch(self) -> None:
        """Keep the connection alive, and notice a broker that is not.

        The machine's own watch-dog judges by PINGRESP alone, which may lie
        unread behind megabytes while reading is held; here any byte counts.
        """
        if self.lost.done():
            return
        now = time.monotonic()
        if self._paused:
            self._heard_at = now
        patience = _SILENCE_S
        if self.proven.done():
            patience += self._keep_alive_s
        if now - self._heard_at > patience:
            what = "is silent" if self.proven.done() else "does not deliver what we subscribe to"
            self._end(f"the broker {what}")
            return
        if self._machine.connected and now - self._said_at >= self._keep_alive_s / 2:
            self._said_at = now
            self._link.write(PINGREQ)
        self._loop.call_later(min(_WATCH_S, self._keep_alive_s / 4), self._watch)

    def _end(self, reason: str) -> None:
        if self.lost.done():
            return
        self.lost.set_result(reason)
        self._link.close()
        for done in self._waiting.values():
            if not done.done():
                error = ServiceError(
                    f"the connection to the broker was lost: {reason}", reference="broker-lost"
                )
                done.set_exception(error)
        self._waiting.clear()
