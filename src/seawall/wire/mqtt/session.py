"""What a server keeps of a client from one connection to the next (MQTT 5.0, 4.1).

Subscriptions, messages on their way to the client, and the QoS 2 packet ids
that came from it. Messages go out with QoS 0 or 1, never 2.

Orders to a device (``commands``) are more than MQTT's session: they stay until
the device has acknowledged them, also over a clean start, because the server
decides when it publishes them. Everything else belongs to the session alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from seawall.wire.mqtt.codes import ReasonCode
from seawall.wire.mqtt.fields import matches
from seawall.wire.mqtt.packets import Subscription
from seawall.wire.mqtt.properties import Properties, encode_properties

MAX_COMMANDS: Final = 100
"""Orders that wait for one device; the next one is refused."""
MAX_WAITING: Final = 1_000
MAX_WAITING_BYTES: Final = 262_144
"""Other messages that wait for one client, and their payloads."""
MAX_SUBSCRIPTIONS: Final = 16
"""Filters of one client; a device has no use for more than five."""


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message to a client.

    Attributes:
        topic: Where it is published.
        payload: The message.
        qos: 0 or 1, at most what the subscription grants.
        retain: Whether it is sent as a retained message.
        properties: Of MQTT 5.0, for clients that speak it.
        sent: Whether the client may have it already, so that DUP is due.
        command: Whether it survives a clean start.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: Properties | None = None
    sent: bool = False
    command: bool = False

    @property
    def weight(self) -> int:
        """Bytes that it holds while it waits."""
        extra = len(encode_properties(self.properties)) if self.properties else 0
        return len(self.payload) + extra


class ServerSession:
    """One client's session.

    Args:
        client_id: Whose.
    """

    __slots__ = (
        "client_id",
        "commands",
        "expiry_s",
        "in_flight",
        "incoming",
        "last_packet_id",
        "subscriptions",
        "waiting",
        "waiting_bytes",
    )

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.expiry_s = 0
        """Seconds that it outlives its connection."""
        self.subscriptions: dict[str, Subscription] = {}
        self.commands: list[Outgoing] = []
        self.waiting: deque[Outgoing] | None = None
        self.waiting_bytes = 0
        self.in_flight: dict[int, Outgoing] = {}
        self.incoming: dict[int, bool] = {}
        """QoS 2 packet ids that are not released, and whether they are durable."""
        self.last_packet_id = 0

    def granted_qos(self, topic: str) -> int | None:
        """Return the highest QoS of the subscriptions that match, None if none does."""
        best: int | None = None
        for topic_filter, subscription in self.subscriptions.items():
            if (best is None or subscription.qos > best) and matches(topic_filter, topic):
                best = subscription.qos
        return best

    def subscribe(
        self, wanted: Subscription, may_subscribe: Callable[[str], bool]
    ) -> tuple[Subscription | None, int, bool]:
        """Take a subscription, with QoS 1 at most.

        Returns:
            The subscription as it holds, or None; the reason code of MQTT 5.0 if
            it is refused, else 0; whether its filter is new.
        """
        fresh = wanted.topic_filter not in self.subscriptions
        if wanted.topic_filter.startswith("$share/"):
            return None, ReasonCode.SHARED_NOT_SUPPORTED, fresh
        if not may_subscribe(wanted.topic_filter):
            return None, ReasonCode.NOT_AUTHORIZED, fresh
        if fresh and len(self.subscriptions) >= MAX_SUBSCRIPTIONS:
            return None, ReasonCode.QUOTA_EXCEEDED, fresh
        given = wanted._replace(qos=min(wanted.qos, 1))
        self.subscriptions[wanted.topic_filter] = given
        return given, 0, fresh

    def renewed(self) -> ServerSession:
        """Return the session of a clean start: orders that are not acknowledged, nothing else."""
        fresh = ServerSession(self.client_id)
        open_commands = [message for message in self.in_flight.values() if message.command]
        fresh.commands = open_commands + self.commands
        return fresh

    @property
    def open_commands(self) -> int:
        """How many orders the client has not acknowledged."""
        return sum(each.command for each in self._open())

    def add_command(self, topic: str, payload: bytes) -> bool:
        """Keep an order until it is acknowledged; False if too many wait.

        One that waits already, byte for byte, is not kept twice.
        """
        if any(each.command and each.payload == payload for each in self._open()):
            return True
        if self.open_commands >= MAX_COMMANDS:
            return False
        self.commands.append(Outgoing(topic, payload, command=True))
        return True

    @property
    def is_full(self) -> bool:
        """Whether too many messages wait, orders aside."""
        many = self.waiting is not None and len(self.waiting) >= MAX_WAITING
        return many or self.waiting_bytes >= MAX_WAITING_BYTES

    def add_message(self, message: Outgoing, *, bounded: bool = True) -> bool:
        """Keep a message for the client; False if too many wait."""
        if self.waiting is None:
            self.waiting = deque()
        if bounded and self.is_full:
            return False
        self.waiting_bytes += message.weight
        self.waiting.append(message)
        return True

    def take(self, window: int) -> tuple[int, Outgoing] | None:
        """Return what to send next with its packet id (0 with QoS 0), None if nothing may go.

        Args:
            window: So many QoS 1 messages may be on their way (receive maximum).
        """
        if self.commands:
            # An order waits, without blocking others, until its topic is subscribed to.
            granted = self.granted_qos(self.commands[0].topic)
            if granted is not None and (granted == 0 or len(self.in_flight) < window):
                return self._send(replace(self.commands.pop(0), qos=granted))
        waiting = self.waiting
        if not waiting:
            self.waiting = None
            return None
        if waiting[0].qos and len(self.in_flight) >= window:
            return None
        message = waiting.popleft()
        self.waiting_bytes -= message.weight
        return self._send(message)

    def resume(self) -> list[tuple[int, Outgoing]]:
        """Return what was sent on an earlier connection and not acknowledged [MQTT-4.4.0-1]."""
        return list(self.in_flight.items())

    def acknowledged(self, packet_id: int) -> bool:
        """Forget a message that the client has; False if none had this packet id."""
        return self.in_flight.pop(packet_id, None) is not None

    def _open(self) -> Iterator[Outgoing]:
        yield from self.in_flight.values()
        yield from self.commands

    def _send(self, message: Outgoing) -> tuple[int, Outgoing]:
        if not message.qos:
            return 0, message
        packet_id = self.last_packet_id
        while True:
            packet_id = packet_id % 0xFFFF + 1
            if packet_id not in self.in_flight:
                break
        self.last_packet_id = packet_id
        self.in_flight[packet_id] = message
        return packet_id, message
