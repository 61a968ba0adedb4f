"""A client's side of one connection, and the session that outlives it.

Pure: bytes and the time come in, events and bytes go out. The owner moves the
bytes::

    machine = ClientConnection(Connect("me", keep_alive_s=30), now=clock())
    send(machine.data_to_send())
    for event in machine.receive_data(received, clock()): ...
    for event in machine.tick(clock()): ...     # at `deadline` at the latest

Messages come in lists, as many as one buffer held, and QoS 1 is acknowledged
only by `ClientConnection.acknowledge`, so that the owner decides when a message
is safe. Acknowledge on the connection that received: on a later one the server
delivers again. Both versions of the protocol are spoken; no topic aliases.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from seawall.errors import ProtocolError
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, PacketError, PacketType, Property, ReasonCode
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import PINGREQ, encode, encode_acknowledgements, encode_publish

DEFAULT_TIMEOUT_S: Final = 10.0
DEFAULT_MAX_PACKET_BYTES: Final = 1_048_576
MAX_REMEMBERED_TOPICS: Final = 65_536
MAX_IN_FLIGHT: Final = 1_000
"""QoS 1 publications that wait for PUBACK; more wait in the session (MQTT 5.0, 4.9)."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The server accepted the connection."""

    session_present: bool
    properties: dict[int, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Received:
    """Messages, in order of arrival; those of QoS 1 and 2 wait for `acknowledge`."""

    messages: list[p.Publish]


@dataclass(frozen=True, slots=True)
class Published:
    """These publications are the server's now; a code of 0x80 and above is a refusal (5.0)."""

    packet_ids: list[int]
    codes: list[int]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The answer to `subscribe`, a code for each filter; 0x80 and above: refused."""

    packet_id: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """The answer to `unsubscribe`."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is of no use any more: close it, then connect anew.

    Attributes:
        error: Why: malformed bytes, silence, a refused CONNECT, a DISCONNECT.
        code: Return or reason code if the server gave one, else None.
    """

    error: ProtocolError
    code: int | None = None


Event: TypeAlias = Connected | Received | Published | Subscribed | Unsubscribed | Lost


@dataclass(slots=True)
class ClientSession:
    """What a client keeps from one connection to the next (3.1.2.4).

    Attributes:
        unacknowledged: QoS 1 publications without PUBACK, by packet id, oldest first.
        waiting: Publications that found the window full.
        received: Packet ids of QoS 2 messages that were delivered and not released, and
            whether the owner has acknowledged them.
        last_packet_id: The packet id that was used last.
    """

    unacknowledged: dict[int, p.Publish] = field(default_factory=dict)
    waiting: deque[p.Publish] = field(default_factory=deque)
    received: dict[int, bool] = field(default_factory=dict)
    last_packet_id: int = 0

    def next_packet_id(self) -> int:
        """Return a packet id that is not in use.

        Raises:
            ProtocolError: all 65,535 are.
        """
        number = self.last_packet_id
        for _ in range(0xFFFF):
            number = number % 0xFFFF + 1
            if number not in self.unacknowledged:
                self.last_packet_id = number
                return number
        raise ProtocolError("all packet identifiers are in use (2.2.1)")


class ClientConnection:
    """One connection of a client.

    Args:
        connect: What to ask for; its ``version`` is the connection's.
        now: Seconds of any monotonic clock.
        session: Kept by the owner over several connections; a new one by default.
        timeout_s: CONNACK and PINGRESP must come within this.
        max_packet_bytes: A longer packet of the server ends the connection.
    """

    def __init__(
        self,
        connect: p.Connect,
        *,
        now: float,
        session: ClientSession | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_packet_bytes: int = DEFAULT_MAX_PACKET_BYTES,
    ) -> None:
        self.session = session if session is not None else ClientSession()
        self.connected = False
        self._version = connect.version
        self._keep_alive_s = float(connect.keep_alive_s)
        self._timeout_s = timeout_s
        self._decoder = Decoder(
            max_packet_bytes, version=connect.version, max_topics=MAX_REMEMBERED_TOPICS
        )
        self._out = bytearray(encode(connect))
        self._lost = False
        self._window = MAX_IN_FLIGHT
        self._last_sent = now
        self._last_received = now
        self._answer_by: float | None = now + timeout_s

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called at the latest; None: no time-out is running."""
        if self._lost:
            return None
        if self._answer_by is not None:
            return self._answer_by
        return self._ping_at() if self._keep_alive_s else None

    def data_to_send(self) -> bytes:
        """Return the bytes that are due and forget them."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the server; an empty ``data`` means that it closed."""
        if self._lost:
            return []
        if not data:
            return [self._lose(ProtocolError("the server closed the connection"))]
        self._last_received = now
        events: list[Event] = []
        try:
            self._handle(self._decoder.feed(data), events, now)
        except PacketError as error:
            events.append(self._lose(error, error.code))
        else:
            if self._decoder.error is not None and not self._lost:
                events.append(self._lose(self._decoder.error, self._decoder.error.code))
        return events

    def tick(self, now: float) -> list[Event]:
        """Send PINGREQ when due (3.1.2.10), and notice a server that fell silent."""
        if self._lost:
            return []
        if self._answer_by is not None:
            if now < self._answer_by:
                return []
            what = "PINGRESP" if self.connected else "CONNACK"
            message = f"the server sent no {what} within {self._timeout_s:g} s"
            return [self._lose(ProtocolError(message, reference="broker-silent"))]
        if self._keep_alive_s and now >= self._ping_at():
            self._send(PINGREQ, now)
            self._answer_by = now + self._timeout_s
        return []

    def publish(
        self, topic: str, payload: bytes, *, now: float, qos: int = 0, retain: bool = False
    ) -> int:
        """Publish with QoS 0 or 1; return the packet id, 0 with QoS 0.

        A QoS 1 message stays in the session until PUBACK; before CONNACK, and
        while the server's receive maximum is used up, it waits there.
        """
        if not qos:
            self._send(encode_publish(p.Publish(topic, payload, 0, retain), self._version), now)
            return 0
        packet_id = self.session.next_packet_id()
        message = p.Publish(topic, payload, 1, retain, False, packet_id)
        encoded = encode_publish(message, self._version)  # raises before anything is kept
        if self.connected and len(self.session.unacknowledged) < self._window:
            self._send(encoded, now)
        else:
            self.session.waiting.append(message)
        self.session.unacknowledged[packet_id] = message
        return packet_id

    def subscribe(self, subscriptions: Sequence[p.Subscription], *, now: float) -> int:
        """Ask for topics; return the packet id that `Subscribed` will carry."""
        packet_id = self.session.next_packet_id()
        self._send(encode(p.Subscribe(packet_id, tuple(subscriptions)), self._version), now)
        return packet_id

    def unsubscribe(self, topic_filters: Sequence[str], *, now: float) -> int:
        """Give topics up; return the packet id that `Unsubscribed` will carry."""
        packet_id = self.session.next_packet_id()
        self._send(encode(p.Unsubscribe(packet_id, tuple(topic_filters)), self._version), now)
        return packet_id

    def acknowledge(self, packet_ids: Sequence[int], *, now: float) -> None:
        """Acknowledge received messages, grouped into one buffer, in the order given."""
        if not packet_ids or self._lost:
            return
        received = self.session.received
        if received:
            second = [number for number in packet_ids if number in received]
            packet_ids = [number for number in packet_ids if number not in received]
            if second:
                received.update(dict.fromkeys(second, True))
                self._send(encode_acknowledgements(PacketType.PUBREC, second), now)
        if packet_ids:
            self._send(encode_acknowledgements(PacketType.PUBACK, packet_ids), now)

    def disconnect(self, *, now: float) -> None:
        """Say good-bye, so that the will is not published (3.14)."""
        if not self._lost:
            self._send(encode(p.Disconnect(), self._version), now)
            self._lost = True

    def _send(self, data: bytes, now: float) -> None:
        self._out += data
        self._last_sent = now

    def _ping_at(self) -> float:
        # Also when nothing is heard: who only sends would not notice a dead server.
        return min(self._last_sent, self._last_received) + self._keep_alive_s

    def _lose(self, error: ProtocolError, code: int | None = None) -> Lost:
        self._lost = True
        self.connected = False
        return Lost(error, code)

    def _handle(self, received: list[p.Packet], events: list[Event], now: float) -> None:
        messages: list[p.Publish] = []
        for packet in received:
            if type(packet) is p.Publish:
                if not self.connected:
                    raise PacketError("PUBLISH before CONNACK (3.2)", ReasonCode.PROTOCOL_ERROR)
                if packet.qos == 2 and self._is_known(packet):
                    continue
                if not messages:
                    events.append(Received(messages))
                messages.append(packet)
                continue
            if messages:
                messages = []
            self._handle_other(packet, events, now)
            if self._lost:
                return

    def _is_known(self, packet: p.Publish) -> bool:
        """Note a QoS 2 message; tell whether it was delivered before (4.3.3, method B)."""
        received = self.session.received
        acknowledged = received.get(packet.packet_id)
        if acknowledged is None:
            received[packet.packet_id] = False
        elif acknowledged:
            self._out += encode_acknowledgements(PacketType.PUBREC, [packet.packet_id])
        return acknowledged is not None

    def _handle_other(self, packet: p.Packet, events: list[Event], now: float) -> None:
        if isinstance(packet, p.ConnAck):
            self._handle_connack(packet, events, now)
        elif not self.connected:
            raise PacketError("the first packet is not CONNACK (3.2)", ReasonCode.PROTOCOL_ERROR)
        elif isinstance(packet, p.PubAck):
            self._handle_puback(packet, events, now)
        elif isinstance(packet, p.PubRel):
            self.session.received.pop(packet.packet_id, None)
            self._send(encode(p.PubComp(packet.packet_id), self._version), now)
        elif isinstance(packet, p.SubAck):
            events.append(Subscribed(packet.packet_id, packet.codes))
        elif isinstance(packet, p.UnsubAck):
            events.append(Unsubscribed(packet.packet_id))
        elif isinstance(packet, p.PingResp):
            self._answer_by = None
        elif isinstance(packet, p.Disconnect) and self._version == V5:
            error = ProtocolError(f"the server disconnects with reason 0x{packet.code:02x}")
            events.append(self._lose(error, packet.code))
        else:
            raise PacketError(
                f"a server may not send {type(packet).__name__} here", ReasonCode.PROTOCOL_ERROR
            )

    def _handle_connack(self, packet: p.ConnAck, events: list[Event], now: float) -> None:
        if self.connected:
            raise PacketError("a second CONNACK (3.2)", ReasonCode.PROTOCOL_ERROR)
        if packet.code:
            error = ProtocolError(
                f"the server refuses the connection with code 0x{packet.code:02x}",
                reference="connection-refused",
            )
            events.append(self._lose(error, packet.code))
            return
        self.connected = True
        self._answer_by = None
        properties: dict[int, object] = dict(packet.properties or {})
        self._take_properties(properties)
        if not packet.session_present:
            self.session.received.clear()
        events.append(Connected(packet.session_present, properties))
        self._resend(now)

    def _take_properties(self, properties: dict[int, object]) -> None:
        window = properties.get(Property.RECEIVE_MAXIMUM)
        if isinstance(window, int):
            self._window = min(window, MAX_IN_FLIGHT)
        keep_alive = properties.get(Property.SERVER_KEEP_ALIVE)
        if isinstance(keep_alive, int):
            self._keep_alive_s = float(keep_alive)

    def _resend(self, now: float) -> None:
        """Send again, with DUP, what an earlier connection left open [MQTT-4.4.0-1]."""
        session = self.session
        fresh = {message.packet_id for message in session.waiting if not message.dup}
        session.waiting.clear()
        for position, message in enumerate(list(session.unacknowledged.values())):
            again = message._replace(dup=message.packet_id not in fresh)
            if position >= self._window:
                session.waiting.append(again)
            else:
                self._send(encode_publish(again, self._version), now)

    def _handle_puback(self, packet: p.PubAck, events: list[Event], now: float) -> None:
        if self.session.unacknowledged.pop(packet.packet_id, None) is None:
            return  # of an earlier connection that was acknowledged twice: harmless
        last = events[-1] if events else None
        if not isinstance(last, Published):
            last = Published([], [])
            events.append(last)
        last.packet_ids.append(packet.packet_id)
        last.codes.append(packet.code)
        if self.session.waiting:
            self._send(encode_publish(self.session.waiting.popleft(), self._version), now)
