"""The sending half of the server's machine: what is due to one client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, V311, PacketType
from seawall.wire.mqtt.encoder import encode, encode_acknowledgements, encode_publish
from seawall.wire.mqtt.events import ServerLimits
from seawall.wire.mqtt.negotiation import Terms
from seawall.wire.mqtt.session import Outgoing, ServerSession

_NO_TERMS: Final = Terms(0.0, 0, 0, 0, 0)


class ServerOutput:
    """Acknowledgements, messages and other packets for one client, within its limits."""

    __slots__ = ("_limits", "_out", "_session", "_state", "terms", "unsettled", "version")

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._state = "waiting"
        self._out = bytearray()
        self._session: ServerSession | None = None
        self.terms = _NO_TERMS
        self.version = V311
        self.unsettled = 0
        """QoS 1 publications that the owner has not called durable yet."""

    @property
    def session(self) -> ServerSession:
        """The session that `accept` was given."""
        if self._session is None:
            raise RuntimeError("a connection has no session before it is accepted")
        return self._session

    @property
    def is_open(self) -> bool:
        """Whether CONNECT was accepted and nothing has ended the connection."""
        return self._state == "open"

    @property
    def saturated(self) -> bool:
        """Whether the owner should not read on before some publications are durable."""
        return self.unsettled >= self._limits.max_in_flight

    def data_to_send(self) -> bytes:
        """Return the bytes that are due and forget them."""
        out = self._out
        if not out:
            return b""
        data = bytes(out)
        out.clear()
        return data

    def acknowledge(self, packet_ids: Sequence[int]) -> None:
        """QoS 1 publications are durable: PUBACK, in the order given, in one piece."""
        self.unsettled -= len(packet_ids)
        if self._state == "open":
            self._out += encode_acknowledgements(PacketType.PUBACK, packet_ids)

    def acknowledge_received(self, packet_id: int) -> None:
        """A QoS 2 publication of the session is durable: PUBREC (4.3.3)."""
        session = self._session
        if session is None or packet_id not in session.incoming:
            return
        session.incoming[packet_id] = True
        if self._state == "open":
            self._out += encode_acknowledgements(PacketType.PUBREC, [packet_id])

    def pump(self) -> None:
        """Send messages of the session, as many as windows and buffer allow."""
        if self._state != "open":
            return
        while len(self._out) < self._limits.max_burst_bytes:
            taken = self.session.take(self.terms.window)
            if taken is None:
                return
            self._send_message(*taken)

    def _exceeds(self, data: bytes) -> bool:
        return 0 < self.terms.client_max_bytes < len(data)

    def _send(self, packet: p.Packet) -> None:
        data = encode(packet, self.version)
        if not self._exceeds(data):  # [MQTT-3.1.2-24]
            self._out += data

    def _send_message(self, packet_id: int, message: Outgoing) -> None:
        dup = message.sent and message.qos > 0
        properties = message.properties if self.version == V5 else None
        message.sent = True
        data = encode_publish(
            p.Publish(
                message.topic,
                message.payload,
                message.qos,
                message.retain,
                dup,
                packet_id,
                properties,
            ),
            self.version,
        )
        if self._exceeds(data):
            self.session.acknowledged(packet_id)  # [MQTT-3.1.2-25]: as if it were delivered
        else:
            self._out += data
