"""The server's side of one connection: bytes and the time in, bytes and events out.

The owner reads, and hands the bytes to `ServerConnection.receive_data`; it acts
on the events; it sends what `data_to_send` gives. The first event is `Opening`;
the owner answers it with `accept` or `refuse`, and until then nothing behind
CONNECT is looked at. Publications come in lists, and are acknowledged when the
owner says that they are durable (`acknowledge`, `acknowledge_received`). After
`Closing` the owner sends what is left, closes, and publishes `take_will()`.

Choices where the standard leaves one (MQTT 3.1.1 / 5.0):

- A forbidden PUBLISH closes a 3.1.1 connection, which has no negative
  acknowledgement. In 5.0, QoS 1 and 2 are answered by 0x87, QoS 0 by DISCONNECT.
- Subscriptions are granted QoS 1 at most. Topic aliases, shared subscriptions,
  subscription identifiers and extended authentication are not offered.
- More unacknowledged publications than allowed close a 5.0 connection, which
  was told the receive maximum; a 3.1.1 client is not read from for a while
  (`saturated`). User name and password are read and ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import (
    SUBACK_FAILURE,
    V5,
    V311,
    ConnectReturn,
    PacketError,
    PacketType,
    Property,
    ReasonCode,
    UnsupportedVersionError,
)
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import PINGRESP, encode, encode_acknowledgements
from seawall.wire.mqtt.events import (
    Arrived,
    Closing,
    Event,
    Forbidden,
    Judge,
    Opening,
    ServerLimits,
    Subscribed,
)
from seawall.wire.mqtt.negotiation import agree, connack_properties
from seawall.wire.mqtt.server_output import ServerOutput
from seawall.wire.mqtt.session import ServerSession

MAX_KNOWN_TOPICS: Final = 8
"""Topic names that one connection is remembered to be allowed; a device has four."""

_RETURN_CODES: Final = {
    ReasonCode.CLIENT_ID_NOT_VALID: ConnectReturn.IDENTIFIER_REJECTED,
    ReasonCode.SERVER_BUSY: ConnectReturn.UNAVAILABLE,
    ReasonCode.QUOTA_EXCEEDED: ConnectReturn.UNAVAILABLE,
}


class ServerConnection(ServerOutput):
    """One connection.

    Args:
        limits: What it may use.
        now: Seconds of any monotonic clock.
    """

    __slots__ = (
        "_backlog",
        "_decoder",
        "_last_packet",
        "_may_publish",
        "_may_subscribe",
        "_topics",
        "_will",
    )

    def __init__(self, limits: ServerLimits, *, now: float) -> None:
        super().__init__(limits)
        self._decoder = Decoder(limits.max_packet_bytes, max_topics=MAX_KNOWN_TOPICS)
        self._backlog: list[p.Packet] = []
        self._last_packet = now
        self._topics: set[str] = set()
        self._may_publish: Judge = _nothing
        self._may_subscribe: Judge = _nothing
        self._will: p.Will | None = None

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """Take bytes from the client; return what they mean. Never raises for bad bytes."""
        if self._state == "closed":
            return []
        events: list[Event] = []
        try:
            packets = self._decoder.feed(data)
            if packets:
                self._last_packet = now
                if self._decoder.alike < len(packets) or not self._take_alike(packets, events):
                    self._handle(packets, events)
            if self._decoder.error is not None and self._state in {"open", "waiting"}:
                raise self._decoder.error
        except PacketError as error:
            self._fail(error, events)
        return events

    def tick(self, now: float) -> list[Event]:
        """Notice a client that is silent for 1.5 times its keep-alive time."""
        silence_s = self.terms.silence_s
        if self._state != "open" or not silence_s or now - self._last_packet < silence_s:
            return []
        return [self.disconnect(ReasonCode.KEEP_ALIVE_TIMEOUT, "nothing came within keep-alive")]

    def excuse(self, now: float) -> None:
        """Do not hold silence up to now against the client: the owner did not read."""
        self._last_packet = now

    def accept(
        self, session: ServerSession, *, present: bool, may_publish: Judge, may_subscribe: Judge
    ) -> list[Event]:
        """Answer `Opening` with yes; return the events of what came behind CONNECT.

        Args:
            session: The client's; a new one unless ``present``.
            present: Whether it continues an earlier one.
            may_publish: Judges a topic name.
            may_subscribe: Judges a topic filter.
        """
        connect = self._opening()
        self._session = session
        self._may_publish = may_publish
        self._may_subscribe = may_subscribe
        self._will = connect.will
        self.terms = terms = agree(connect, self._limits)
        session.expiry_s = terms.session_expiry_s
        self._state = "open"
        answer = connack_properties(connect, terms, self._limits, session.client_id)
        self._send(p.ConnAck(present, 0, answer))
        for packet_id, message in session.resume():
            self._send_message(packet_id, message)
        self.pump()
        events: list[Event] = []
        packets, self._backlog = self._backlog, []
        try:
            self._handle(packets, events)
            if self._decoder.error is not None and self._state == "open":
                raise self._decoder.error
        except PacketError as error:
            self._fail(error, events)
        return events

    def refuse(self, code: ReasonCode, detail: str) -> Closing:
        """Answer `Opening` with no (3.2.2.2)."""
        self._opening()
        if self.version == V5:
            self._send(p.ConnAck(False, code))
        else:
            self._send(p.ConnAck(False, _RETURN_CODES.get(code, ConnectReturn.NOT_AUTHORIZED)))
        self._state = "closed"
        return Closing(detail, code, violation=True)

    def disconnect(self, code: int, detail: str, *, violation: bool = False) -> Closing:
        """End the connection from the server's side; in MQTT 5.0 say why (3.14)."""
        if self._state == "open" and self.version == V5:
            self._send(p.Disconnect(code))
        self._state = "closed"
        return Closing(detail, code, violation)

    def take_will(self) -> p.Will | None:
        """Return the will if it is to be published, once, when the connection is over."""
        will, self._will = self._will, None
        self._state = "closed"
        return will

    def _opening(self) -> p.Connect:
        connect = self._backlog[0] if self._backlog else None
        if self._state != "deciding" or not isinstance(connect, p.Connect):
            raise RuntimeError("no CONNECT waits for an answer")
        del self._backlog[0]
        return connect

    def _handle(self, packets: list[p.Packet], events: list[Event]) -> None:
        if self._state != "open":
            self._handle_unopened(packets, events)
            return
        arrived: Arrived | None = None
        topics = self._topics
        for packet in packets:
            if type(packet) is p.Publish:
                topic, _, qos, retain, _, _, properties = packet
                if topic not in topics or qos == 2 or properties is not None:
                    if not self._judge_publish(packet, events):
                        arrived = None
                        if self._state != "open":
                            return
                        continue
                elif qos:
                    self.unsettled += 1
                if arrived is None:
                    arrived = Arrived([], [])
                    events.append(arrived)
                arrived.messages.append(packet)
                if retain:
                    arrived.retained.append(packet)
            else:
                arrived = None
                self._handle_other(packet, events)
                if self._state != "open":
                    return
        self._check_in_flight(self.unsettled if self.version == V5 else 0)

    def _take_alike(self, packets: list[Any], events: list[Event]) -> bool:
        """Take publications with one header (`Decoder.alike`; of 3.1.1) as one, if they may be."""
        topic, _, qos, retain, *_ = packets[0]
        if self._state != "open" or topic not in self._topics or qos == 2:
            return False
        self.unsettled += len(packets)
        events.append(Arrived(packets, packets if retain else []))
        return True

    def _handle_unopened(self, packets: list[p.Packet], events: list[Event]) -> None:
        if self._state == "deciding":
            self._backlog += packets
            return
        connect = packets[0]
        if not isinstance(connect, p.Connect):
            raise PacketError("the first packet is not CONNECT [MQTT-3.1.0-1]", 0x82)
        self.version = connect.version
        if Property.AUTH_METHOD in (connect.properties or {}):
            self._send(p.ConnAck(False, ReasonCode.BAD_AUTH_METHOD))
            raise PacketError("extended authentication is not offered (4.12)", 0x8C)
        self._backlog = packets
        self._state = "deciding"
        events.append(Opening(connect))

    def _judge_publish(self, packet: p.Publish, events: list[Event]) -> bool:
        """Judge what the quick path does not; return True if the message is to be taken."""
        if packet.topic not in self._topics:
            if not self._may_publish(packet.topic):
                events.append(Forbidden(packet))
                self._refuse_publish(packet, events)
                return False
            if len(self._topics) < MAX_KNOWN_TOPICS:
                self._topics.add(packet.topic)
        if packet.properties and Property.SUBSCRIPTION_ID in packet.properties:
            raise PacketError("a client sends a subscription identifier [MQTT-3.3.4-6]", 0x82)
        if packet.qos < 2:
            self.unsettled += packet.qos
            return True
        incoming = self.session.incoming
        durable = incoming.get(packet.packet_id)
        if durable:
            self._out += encode_acknowledgements(PacketType.PUBREC, [packet.packet_id])
        if durable is not None:
            return False
        incoming[packet.packet_id] = False
        self._check_in_flight(len(incoming))
        return True

    def _check_in_flight(self, count: int) -> None:
        if count > self._limits.max_in_flight:
            raise PacketError(
                f"more than {self._limits.max_in_flight} publications are open [MQTT-3.3.4-9]",
                ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
            )

    def _refuse_publish(self, packet: p.Publish, events: list[Event]) -> None:
        if self.version != V5 or packet.qos == 0:
            detail = f"may not publish on {packet.topic!r}"
            events.append(self.disconnect(ReasonCode.NOT_AUTHORIZED, detail))
        elif packet.qos == 1:
            self._send(p.PubAck(packet.packet_id, ReasonCode.NOT_AUTHORIZED))
        else:
            self._send(p.PubRec(packet.packet_id, ReasonCode.NOT_AUTHORIZED))

    def _handle_other(self, packet: p.Packet, events: list[Event]) -> None:
        handler = _HANDLERS.get(type(packet))
        if handler is None:
            raise PacketError(f"a client may not send {type(packet).__name__} here", 0x82)
        handler(self, packet, events)

    def _on_ping(self, _packet: p.PingReq, _events: list[Event]) -> None:
        self._out += PINGRESP

    def _on_puback(self, packet: p.PubAck, _events: list[Event]) -> None:
        if self.session.acknowledged(packet.packet_id):
            self.pump()

    def _on_pubrel(self, packet: p.PubRel, _events: list[Event]) -> None:
        incoming = self.session.incoming
        durable = incoming.get(packet.packet_id)
        code = 0
        if durable:
            del incoming[packet.packet_id]
        elif durable is False:
            raise PacketError("PUBREL before PUBREC (4.3.3)", ReasonCode.PROTOCOL_ERROR)
        elif self.version == V5:
            # Released before, or the session was lost with the server: the sender is done.
            code = ReasonCode.PACKET_ID_NOT_FOUND
        self._send(p.PubComp(packet.packet_id, code))

    def _on_subscribe(self, packet: p.Subscribe, events: list[Event]) -> None:
        if Property.SUBSCRIPTION_ID in (packet.properties or {}):
            raise PacketError("subscription identifiers are not offered (3.2.2.3.12)", 0xA1)
        codes: list[int] = []
        wanting: list[p.Subscription] = []
        for wanted in packet.subscriptions:
            given, refusal, fresh = self.session.subscribe(wanted, self._may_subscribe)
            if given is None:
                codes.append(refusal if self.version == V5 else SUBACK_FAILURE)
                continue
            codes.append(given.qos)
            if given.retain_handling == 0 or (given.retain_handling == 1 and fresh):
                wanting.append(given)
        self._send(p.SubAck(packet.packet_id, tuple(codes)))
        events.append(Subscribed(wanting))
        self.pump()

    def _on_unsubscribe(self, packet: p.Unsubscribe, events: list[Event]) -> None:
        codes: list[int] = []
        for topic_filter in packet.topic_filters:
            known = self.session.subscriptions.pop(topic_filter, None)
            codes.append(0 if known else ReasonCode.NO_SUBSCRIPTION_EXISTED)
        self._send(p.UnsubAck(packet.packet_id, tuple(codes)))
        events.append(Subscribed([]))

    def _on_disconnect(self, packet: p.Disconnect, events: list[Event]) -> None:
        expiry = (packet.properties or {}).get(Property.SESSION_EXPIRY)
        if isinstance(expiry, int):
            if expiry and not self.terms.session_expiry_s:
                raise PacketError("DISCONNECT adds a session expiry (3.14.2.2.2)", 0x82)
            self.session.expiry_s = min(expiry, self._limits.max_session_expiry_s)
        if packet.code == 0:
            self._will = None  # [MQTT-3.14.4-3]
        self._state = "closed"
        events.append(Closing("the client disconnects", packet.code))

    def _fail(self, error: PacketError, events: list[Event]) -> None:
        if self._state == "waiting" and isinstance(error, UnsupportedVersionError):
            # [MQTT-3.1.2-2]: the one malformed packet that is answered, in the nearest version.
            newer = error.level > V5
            code = ReasonCode.UNSUPPORTED_VERSION if newer else ConnectReturn.BAD_VERSION
            self._out += encode(p.ConnAck(False, code), V5 if newer else V311)
        events.append(self.disconnect(error.code, str(error), violation=True))


def _nothing(_topic: str) -> bool:
    return False


_HANDLERS: Final[dict[type[Any], Callable[[ServerConnection, Any, list[Event]], None]]] = {
    p.PingReq: ServerConnection._on_ping,
    p.PubAck: ServerConnection._on_puback,
    p.PubRel: ServerConnection._on_pubrel,
    p.Subscribe: ServerConnection._on_subscribe,
    p.Unsubscribe: ServerConnection._on_unsubscribe,
    p.Disconnect: ServerConnection._on_disconnect,
}
