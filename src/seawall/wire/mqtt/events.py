"""What the server's machine tells its owner, and the limits that it keeps to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from seawall.wire.mqtt import packets as p


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What one connection may use.

    Attributes:
        max_packet_bytes: Longest packet from the client.
        max_in_flight: Publications that are not acknowledged; for QoS 2, not released.
        max_outgoing_in_flight: QoS 1 messages to the client that it has not acknowledged.
        max_burst_bytes: No further message is encoded while so much waits to be sent.
        max_session_expiry_s: Longest life of a session without a connection.
    """

    max_packet_bytes: int = 16_384
    max_in_flight: int = 2_000
    max_outgoing_in_flight: int = 20
    max_burst_bytes: int = 65_536
    max_session_expiry_s: int = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Opening:
    """A valid CONNECT; answer by `ServerConnection.accept` or `refuse`."""

    connect: p.Connect


@dataclass(frozen=True, slots=True)
class Arrived:
    """Publications that the client may make, in order.

    Attributes:
        messages: All of them.
        retained: Those among them that have the RETAIN flag.
    """

    messages: list[p.Publish]
    retained: list[p.Publish]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """A publication that the client may not make; it was not taken."""

    message: p.Publish


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The client's subscriptions have changed.

    Attributes:
        subscriptions: Those whose retained messages are to be sent.
    """

    subscriptions: list[p.Subscription]


@dataclass(frozen=True, slots=True)
class Closing:
    """The connection is over: send what is left and close.

    Attributes:
        detail: Why, in one sentence.
        code: Reason code of MQTT 5.0; 0 for a DISCONNECT of the client.
        violation: Whether the client broke the protocol or a limit.
    """

    detail: str
    code: int
    violation: bool = False


Event: TypeAlias = Opening | Arrived | Forbidden | Subscribed | Closing

Judge: TypeAlias = Callable[[str], bool]
