"""One MQTT connection of the audit: bounded in time and bytes, whatever the broker does.

It stands on Seawall's own protocol machine. A password leaves this machine only for
a server whose certificate is trusted (or where ``mqtt://`` was asked for).
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from typing import Final
from weakref import WeakKeyDictionary

from seawall.audit.check import Limits, Unobserved
from seawall.audit.mqtt_facts import Greeting
from seawall.audit.probes.connection import abort
from seawall.audit.probes.mqtt_dial import Asking, Refused, Streams, dial, refused_by_tls
from seawall.audit.target import Access, Target
from seawall.wire.mqtt.client import (
    ClientConnection,
    Connected,
    Event,
    Lost,
    Published,
    Received,
    Subscribed,
)
from seawall.wire.mqtt.codes import V5, V311, ConnectReturn, PacketError, ReasonCode
from seawall.wire.mqtt.encoder import encode
from seawall.wire.mqtt.packets import Connect, PingReq, PingResp, Publish, Subscription

READ_BYTES: Final = 65_536
_OLD_ANSWER: Final = b"\x20\x02"
"""A CONNACK of MQTT 3.1.1: two bytes follow. That of 5.0 has at least three."""


class Who(StrEnum):
    """As whom to connect."""

    ANYBODY = "anybody"
    """Neither name nor certificate."""
    OWN = "own"
    """What the audit was given; anybody if it was given nothing."""
    OTHER = "other"
    """The second identity."""


def access_of(target: Target, who: Who) -> Access:
    """Return what an identity has to show."""
    if who is Who.OTHER:
        if target.access.other is None:
            raise Unobserved("needs a second identity (`other` in audit.toml)")
        return _trusting(target.access.other, target.access)
    if who is Who.OWN:
        return target.access
    mine = target.access
    return Access(ca=mine.ca, pin=mine.pin, server_name=mine.server_name)


def _trusting(other: Access, first: Access) -> Access:
    """Return the second identity, which is told nothing of its own about the server."""
    return replace(
        other,
        ca=other.ca or first.ca,
        pin=other.pin or first.pin,
        server_name=other.server_name or first.server_name,
    )


class Link:
    """An open connection; made by `open_link` alone."""

    def __init__(
        self,
        streams: Streams,
        connect: Connect,
        limits: Limits,
    ) -> None:
        self._reader, self._writer = streams
        self._limits = limits
        self._left = limits.max_bytes
        self._head = b""
        self._events: deque[Event] = deque()
        self.machine = ClientConnection(
            connect,
            now=time.monotonic(),
            timeout_s=limits.read_timeout_s,
            max_packet_bytes=limits.max_bytes,
        )
        self.messages: list[Publish] = []
        self.lost: Lost | None = None
        self.greeting = Greeting(False)
        self.version = connect.version

    async def greet(self) -> None:
        """Wait for CONNACK.

        Raises:
            Refused: it is negative, or the broker closes.
            Unobserved: silence, or another protocol.
        """
        event = await self._next(self._limits.read_timeout_s)
        if isinstance(event, Connected):
            numbers = [(k, v) for k, v in event.properties.items() if isinstance(v, int)]
            self.greeting = Greeting(True, self.version, 0, tuple(sorted(numbers)))
            return
        if event is None:
            raise Unobserved(f"no CONNACK within {self._limits.read_timeout_s:g} s")
        if self.version == V5 and self._head[:2] == _OLD_ANSWER and len(self._head) >= 4:
            raise Refused(Greeting(False, V311, self._head[3]))
        if not self._head:
            raise Refused(Greeting(False, self.version, None, (), "closed without CONNACK"))
        if isinstance(event, Lost) and event.error.reference == "connection-refused":
            raise Refused(Greeting(False, self.version, event.code))
        raise Unobserved("what answers speaks no MQTT")

    async def prove_alive(self) -> None:
        """Make sure that an end that follows is an answer, not what the broker does to all.

        In 5.0 the reason of an end tells that; in 3.1.1, where an end has none, a ping does.

        Raises:
            Unobserved: no PINGRESP came.
        """
        if self.version != V311:
            return
        await self.send_raw(encode(PingReq(), self.version))
        wanted, seen = encode(PingResp(), self.version), b""
        while wanted not in seen[-READ_BYTES:]:
            data = await self._read(self._limits.read_timeout_s)
            if not data:
                raise Unobserved("after CONNACK, no PINGRESP came: is it a broker?")
            seen += data
            self._events.extend(self.machine.receive_data(data, time.monotonic()))

    async def subscribe(self, *filters: str, qos: int = 0) -> tuple[int, ...]:
        """Subscribe; return the codes, empty if the broker closed instead of answering."""
        wanted = [Subscription(each, qos) for each in filters]
        self.machine.subscribe(wanted, now=time.monotonic())
        event = await self._until(Subscribed, "SUBACK")
        return event.codes if isinstance(event, Subscribed) else ()

    async def publish(self, topic: str, payload: bytes) -> int | None:
        """Publish with QoS 1; return PUBACK's code, None if the broker closed instead."""
        self.machine.publish(topic, payload, now=time.monotonic(), qos=1)
        event = await self._until(Published, "PUBACK")
        return event.codes[-1] if isinstance(event, Published) else None

    async def collect(self, duration_s: float, enough: int, topics: Sequence[str] = ()) -> None:
        """Take messages until the time is over, there are enough, or all of these topics came."""
        end = time.monotonic() + duration_s
        while len(self.messages) < enough and self.lost is None:
            if topics and {each.topic for each in self.messages}.issuperset(topics):
                return
            left = end - time.monotonic()
            if left <= 0 or await self._next(left) is None:
                return

    async def ended(self, within_s: float) -> Lost | None:
        """Return how the broker ended the connection, None if it lives on."""
        await self.collect(within_s, enough=1 << 30)
        return self.lost

    async def send_raw(self, data: bytes) -> None:
        """Send bytes past the machine."""
        self._writer.write(data)
        await self._drain()

    async def _until(self, kind: type[Event], what: str) -> Event | None:
        end = time.monotonic() + self._limits.read_timeout_s
        while self.lost is None:
            event = await self._next(end - time.monotonic())
            if event is None:
                raise Unobserved(f"no {what} within {self._limits.read_timeout_s:g} s")
            if isinstance(event, kind):
                return event
        self._must_be_a_denial(what)
        return None

    def _must_be_a_denial(self, what: str) -> None:
        """Tell an end that denies from one that says nothing.

        In 5.0 a DISCONNECT says why; in 3.1.1 to close is the only way to say no (3.3.5).
        """
        lost = self.lost
        if lost is None:
            return
        if isinstance(lost.error, PacketError):
            raise Unobserved(f"no MQTT instead of {what}")
        if lost.code == ReasonCode.SESSION_TAKEN_OVER:
            raise Unobserved("another client with this identity is there: it needs one of its own")
        if self.version == V5 and (lost.code is None or lost.code < 0x80):
            raise Unobserved(f"the connection ended instead of {what}")

    async def _next(self, timeout_s: float) -> Event | None:
        """Return the next event, None if none comes in time; messages are kept besides."""
        end = time.monotonic() + timeout_s
        while not self._events:
            await self._flush()
            data = await self._read(end - time.monotonic())
            if data is None:
                return None
            self._head = (self._head + data[:4])[:4]
            self._events.extend(self.machine.receive_data(data, time.monotonic()))
        event = self._events.popleft()
        if isinstance(event, Lost):
            self.lost = event
        elif isinstance(event, Received):
            self.messages.extend(event.messages)
            self.machine.acknowledge(
                [each.packet_id for each in event.messages if each.qos], now=time.monotonic()
            )
        return event

    async def _read(self, timeout_s: float) -> bytes | None:
        if timeout_s <= 0:
            return None
        if self._left <= 0:
            raise Unobserved(f"flooded: more than {self._limits.max_bytes} bytes")
        try:
            data = await asyncio.wait_for(self._reader.read(READ_BYTES), timeout_s)
        except TimeoutError:
            return None
        except ssl.SSLError as error:
            if self.greeting.accepted:
                return b""
            raise refused_by_tls(error, self.version) from error
        except OSError:
            return b""  # a reset says no more than an end
        self._left -= len(data)
        return data

    async def _flush(self) -> None:
        data = self.machine.data_to_send()
        if data:
            await self.send_raw(data)

    async def _drain(self) -> None:
        try:
            await asyncio.wait_for(self._writer.drain(), self._limits.read_timeout_s)
        except (OSError, TimeoutError):
            return  # the next read tells

    async def close(self) -> None:
        """Say good-bye, so that nothing stays behind; never waits long."""
        if self.lost is None and self.machine.connected:
            self.machine.disconnect(now=time.monotonic())
            await self._flush()
        abort(self._writer) if self.lost else self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), 0.2)
        except (OSError, TimeoutError):
            abort(self._writer)


class _Turns:
    """Lets each identity connect once at a time.

    A broker that binds client ids to identities ends the earlier connection for the later.
    """

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, asyncio.Lock]]
        self._locks = WeakKeyDictionary()

    def of(self, target: Target, access: Access) -> asyncio.Lock:
        """Return the turn of an identity at a target."""
        name = (target.host, target.port, access.cert, access.username)
        locks = self._locks.setdefault(asyncio.get_running_loop(), {})
        return locks.setdefault(name, asyncio.Lock())


turns: Final = _Turns()


@asynccontextmanager
async def open_link(target: Target, asking: Asking, limits: Limits) -> AsyncIterator[Link]:
    """Connect, and close in the end.

    A broker that wants a client id gets a random one, one that knows 3.1.1 alone is
    spoken to in it: two connections then.

    Raises:
        Refused: by TLS, CONNACK or an end of the connection.
        Unobserved: there is no broker to talk to.
    """
    version, client_id = V5, asking.client_id
    for last in (False, True):
        link = Link(await dial(target, asking, limits), asking.packet(version, client_id), limits)
        try:
            await link.greet()
        except Refused as refused:
            await link.close()
            version, client_id, again = _another_way(refused.greeting, version, client_id, limits)
            if last or not again:
                raise
        except BaseException:
            await link.close()
            raise
        else:
            break
    try:
        yield link
    finally:
        await link.close()


def _another_way(
    greeting: Greeting, version: int, client_id: str, limits: Limits
) -> tuple[int, str, bool]:
    old = version == V5 and (
        greeting.version == V311 or greeting.code == ReasonCode.UNSUPPORTED_VERSION
    )
    nameless = not client_id and greeting.code in {
        ReasonCode.CLIENT_ID_NOT_VALID,
        ConnectReturn.IDENTIFIER_REJECTED,
    }
    made_up = client_id or f"seawall-audit-{limits.nonce}"[:23]
    if old:
        return V311, made_up, True
    return version, made_up if nameless else client_id, nameless
