"""The fifteen packets of MQTT, as values.

`Publish` is a named tuple because it is made for every message; the others are
frozen dataclasses. ``decoder.Decoder`` makes them from bytes, ``encoder.encode``
makes bytes of them. Fields that only MQTT 5.0 has keep their defaults in 3.1.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, TypeAlias

from seawall.wire.mqtt.codes import V311, PacketType
from seawall.wire.mqtt.properties import Properties


class Publish(NamedTuple):
    """An application message (3.3).

    Attributes:
        topic: Topic name, valid, without wildcards.
        payload: The message, exact bytes.
        qos: 0, 1 or 2.
        retain: The RETAIN flag.
        dup: The DUP flag; never set with QoS 0.
        packet_id: 1 to 65,535, and 0 with QoS 0.
        properties: Of MQTT 5.0, or None.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    dup: bool = False
    packet_id: int = 0
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class Will:
    """What the server publishes if the connection ends without DISCONNECT (3.1.2.5)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class Connect:
    """The client's first packet (3.1).

    Attributes:
        client_id: May be empty.
        clean_start: Clean Session of 3.1.1, Clean Start of 5.0.
        keep_alive_s: Seconds, 0 for none.
        version: ``V311`` or ``V5``.
        username: Or None.
        password: Or None.
        will: Or None.
        properties: Of MQTT 5.0, or None.
    """

    client_id: str
    clean_start: bool = True
    keep_alive_s: int = 0
    version: int = V311
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class ConnAck:
    """The server's answer to CONNECT (3.2); ``code`` is a return code of the version."""

    session_present: bool = False
    code: int = 0
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class _Acknowledgement:
    packet_id: int
    code: int = 0
    properties: Properties | None = None

    packet_type: ClassVar[PacketType]


class PubAck(_Acknowledgement):
    """Answers a QoS 1 PUBLISH (3.4)."""

    __slots__ = ()
    packet_type = PacketType.PUBACK


class PubRec(_Acknowledgement):
    """Answers a QoS 2 PUBLISH (3.5)."""

    __slots__ = ()
    packet_type = PacketType.PUBREC


class PubRel(_Acknowledgement):
    """Answers PUBREC (3.6)."""

    __slots__ = ()
    packet_type = PacketType.PUBREL


class PubComp(_Acknowledgement):
    """Answers PUBREL (3.7)."""

    __slots__ = ()
    packet_type = PacketType.PUBCOMP


Acknowledgement: TypeAlias = PubAck | PubRec | PubRel | PubComp


class Subscription(NamedTuple):
    """One filter of a SUBSCRIBE, and its options (3.8.3.1)."""

    topic_filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Asks for topics (3.8)."""

    packet_id: int
    subscriptions: tuple[Subscription, ...]
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class SubAck:
    """Answers each subscription (3.9): the granted QoS, or 0x80 and above."""

    packet_id: int
    codes: tuple[int, ...]
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Gives topics up (3.10)."""

    packet_id: int
    topic_filters: tuple[str, ...]
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class UnsubAck:
    """Answers UNSUBSCRIBE (3.11); 3.1.1 has no codes."""

    packet_id: int
    codes: tuple[int, ...] = ()
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class PingReq:
    """The client is alive (3.12)."""


@dataclass(frozen=True, slots=True)
class PingResp:
    """So is the server (3.13)."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The sender will close the connection (3.14)."""

    code: int = 0
    properties: Properties | None = None


@dataclass(frozen=True, slots=True)
class Auth:
    """Extended authentication of MQTT 5.0 (3.15)."""

    code: int = 0
    properties: Properties | None = None


Packet: TypeAlias = (
    Publish
    | Connect
    | ConnAck
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)

FROM_CLIENT: Final = frozenset(
    {Connect, Publish, PubAck, PubRec, PubRel, PubComp, Subscribe, Unsubscribe, PingReq}
    | {Disconnect, Auth}
)
"""What a server may receive (table 2-1)."""
FROM_SERVER: Final = frozenset(
    {ConnAck, Publish, PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck, PingResp}
    | {Disconnect, Auth}
)
"""What a client may receive; DISCONNECT and AUTH in MQTT 5.0 only."""
