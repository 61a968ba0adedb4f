"""Decoders of single packets, all but PUBLISH, from the bytes after the fixed header."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from seawall.wire.mqtt.codes import (
    V5,
    V311,
    PacketError,
    PacketType,
    ReasonCode,
    UnsupportedVersionError,
)
from seawall.wire.mqtt.fields import Reader, check_topic_filter, check_topic_name
from seawall.wire.mqtt.packets import (
    Acknowledgement,
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from seawall.wire.mqtt.properties import WILL, Properties, read_properties

_T = PacketType
_PROTOCOL: Final = ReasonCode.PROTOCOL_ERROR

_COMMON_FAILURES: Final = frozenset({0x80, 0x83, 0x87})
_CODES: Final[dict[int, frozenset[int]]] = {
    _T.CONNACK: frozenset({0x00, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F})
    | frozenset(range(0x80, 0x8B))
    | {0x8C, 0x90},
    _T.PUBACK: _COMMON_FAILURES | {0x00, 0x10, 0x90, 0x91, 0x97, 0x99},
    _T.PUBREC: _COMMON_FAILURES | {0x00, 0x10, 0x90, 0x91, 0x97, 0x99},
    _T.PUBREL: frozenset({0x00, 0x92}),
    _T.PUBCOMP: frozenset({0x00, 0x92}),
    _T.SUBACK: _COMMON_FAILURES | {0x00, 0x01, 0x02, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    _T.UNSUBACK: _COMMON_FAILURES | {0x00, 0x11, 0x8F, 0x91},
    _T.DISCONNECT: _COMMON_FAILURES
    | frozenset({0x00, 0x04, 0x81, 0x82, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90})
    | frozenset(range(0x93, 0xA3)),
    _T.AUTH: frozenset({0x00, 0x18, 0x19}),
}
"""Reason codes by packet (table 2-6)."""


def _check_code(kind: PacketType, code: int) -> int:
    if code not in _CODES[kind]:
        raise PacketError(f"reason code 0x{code:02x} is not one of {kind.name} (2.4)")
    return code


def _v5_properties(reader: Reader, place: int, version: int) -> Properties | None:
    return read_properties(reader, place) if version == V5 else None


def _read_version(reader: Reader) -> int:
    name = reader.binary()
    level = reader.byte()
    if name == b"MQIsdp":
        raise UnsupportedVersionError(level)
    if name != b"MQTT":
        raise PacketError("the protocol name is not 'MQTT' [MQTT-3.1.2-1]", 0x84)
    if level not in (V311, V5):
        raise UnsupportedVersionError(level)
    return level


def _check_connect_flags(flags: int, version: int) -> None:
    if flags & 0x01:
        raise PacketError("the reserved flag of CONNECT is set [MQTT-3.1.2-3]")
    if not flags & 0x04 and flags & 0x38:
        raise PacketError("will QoS or retain without a will [MQTT-3.1.2-11]")
    if flags >> 3 & 3 == 3:
        raise PacketError("the will has QoS 3 [MQTT-3.1.2-12]")
    if version == V311 and flags & 0xC0 == 0x40:
        raise PacketError("a password without a user name [MQTT-3.1.2-22]")


def _read_will(reader: Reader, flags: int, version: int) -> Will | None:
    if not flags & 0x04:
        return None
    properties = _v5_properties(reader, WILL, version)
    topic = check_topic_name(reader.text())
    return Will(topic, reader.binary(), flags >> 3 & 3, bool(flags & 0x20), properties)


def _decode_connect(_first: int, reader: Reader, _version: int) -> Connect:
    version = _read_version(reader)
    flags = reader.byte()
    _check_connect_flags(flags, version)
    keep_alive_s = reader.integer(2)
    properties = _v5_properties(reader, _T.CONNECT, version)
    client_id = reader.text()
    will = _read_will(reader, flags, version)
    username = reader.text() if flags & 0x80 else None
    password = reader.binary() if flags & 0x40 else None
    return Connect(
        client_id, bool(flags & 2), keep_alive_s, version, username, password, will, properties
    )


def _decode_connack(_first: int, reader: Reader, version: int) -> ConnAck:
    flags = reader.byte()
    code = reader.byte()
    if flags > 1:
        raise PacketError("reserved flags of CONNACK are set [MQTT-3.2.2-1]")
    if flags and code:
        raise PacketError("a session is present in a refusal [MQTT-3.2.2-6]", _PROTOCOL)
    if version == V5:
        _check_code(_T.CONNACK, code)
    elif code > 5:
        raise PacketError(f"return code {code} is reserved (3.1.1, table 3.1)")
    return ConnAck(bool(flags), code, _v5_properties(reader, _T.CONNACK, version))


_ACKNOWLEDGEMENTS: Final[dict[PacketType, type[Acknowledgement]]] = {
    _T.PUBACK: PubAck,
    _T.PUBREC: PubRec,
    _T.PUBREL: PubRel,
    _T.PUBCOMP: PubComp,
}


def _decode_acknowledgement(first: int, reader: Reader, version: int) -> Packet:
    kind = PacketType(first >> 4)
    make = _ACKNOWLEDGEMENTS[kind]
    packet_id = reader.packet_id()
    if version != V5 or not reader.left:
        return make(packet_id)
    code = _check_code(kind, reader.byte())
    # Reason code alone, without a property length, is allowed (3.4.2.2.1).
    return make(packet_id, code, read_properties(reader, kind) if reader.left else None)


def _read_subscription(reader: Reader, version: int) -> Subscription:
    topic_filter = check_topic_filter(reader.text())
    options = reader.byte()
    if options & 3 == 3:
        raise PacketError("a subscription with QoS 3 [MQTT-3.8.3-5]", _PROTOCOL)
    if options & (0xC0 if version == V5 else 0xFC):
        raise PacketError("reserved bits of subscription options are set [MQTT-3.8.3-5]")
    if options >> 4 == 3:
        raise PacketError("retain handling 3 (3.8.3.1)", _PROTOCOL)
    no_local = bool(options & 4)
    if no_local and topic_filter.startswith("$share/"):
        raise PacketError("No Local on a shared subscription [MQTT-3.8.3-4]", _PROTOCOL)
    return Subscription(topic_filter, options & 3, no_local, bool(options & 8), options >> 4)


def _decode_subscribe(_first: int, reader: Reader, version: int) -> Subscribe:
    packet_id = reader.packet_id()
    properties = _v5_properties(reader, _T.SUBSCRIBE, version)
    subscriptions = []
    while reader.left:
        subscriptions.append(_read_subscription(reader, version))
    if not subscriptions:
        raise PacketError("SUBSCRIBE without a filter [MQTT-3.8.3-2]", _PROTOCOL)
    return Subscribe(packet_id, tuple(subscriptions), properties)


def _decode_suback(_first: int, reader: Reader, version: int) -> SubAck:
    packet_id = reader.packet_id()
    properties = _v5_properties(reader, _T.SUBACK, version)
    codes = tuple(reader.rest())
    if not codes:
        raise PacketError("SUBACK without a reason code (3.9.3)", _PROTOCOL)
    for code in codes:
        if version == V5:
            _check_code(_T.SUBACK, code)
        elif code not in {0, 1, 2, 0x80}:
            raise PacketError(f"return code 0x{code:02x} is reserved [MQTT-3.9.3-2]")
    return SubAck(packet_id, codes, properties)


def _decode_unsubscribe(_first: int, reader: Reader, version: int) -> Unsubscribe:
    packet_id = reader.packet_id()
    properties = _v5_properties(reader, _T.UNSUBSCRIBE, version)
    filters = []
    while reader.left:
        filters.append(check_topic_filter(reader.text()))
    if not filters:
        raise PacketError("UNSUBSCRIBE without a filter [MQTT-3.10.3-2]", _PROTOCOL)
    return Unsubscribe(packet_id, tuple(filters), properties)


def _decode_unsuback(_first: int, reader: Reader, version: int) -> UnsubAck:
    packet_id = reader.packet_id()
    if version != V5:
        return UnsubAck(packet_id)
    properties = read_properties(reader, _T.UNSUBACK)
    codes = tuple(_check_code(_T.UNSUBACK, code) for code in reader.rest())
    if not codes:
        raise PacketError("UNSUBACK without a reason code (3.11.3)", _PROTOCOL)
    return UnsubAck(packet_id, codes, properties)


def _decode_reasoned(first: int, reader: Reader, version: int) -> Disconnect | Auth:
    kind = PacketType(first >> 4)
    make = Disconnect if kind == _T.DISCONNECT else Auth
    if version != V5 or not reader.left:
        return make()
    code = _check_code(kind, reader.byte())
    return make(code, read_properties(reader, kind) if reader.left else None)


_DECODERS: Final[dict[int, Callable[[int, Reader, int], Any]]] = {
    _T.CONNECT: _decode_connect,
    _T.CONNACK: _decode_connack,
    _T.PUBACK: _decode_acknowledgement,
    _T.PUBREC: _decode_acknowledgement,
    _T.PUBREL: _decode_acknowledgement,
    _T.PUBCOMP: _decode_acknowledgement,
    _T.SUBSCRIBE: _decode_subscribe,
    _T.SUBACK: _decode_suback,
    _T.UNSUBSCRIBE: _decode_unsubscribe,
    _T.UNSUBACK: _decode_unsuback,
    _T.PINGREQ: lambda _first, _reader, _version: PingReq(),
    _T.PINGRESP: lambda _first, _reader, _version: PingResp(),
    _T.DISCONNECT: _decode_reasoned,
    _T.AUTH: _decode_reasoned,
}


def decode_body(first: int, body: bytes, version: int) -> Packet:
    """Decode one whole packet that is no PUBLISH.

    Args:
        first: Its first byte, whose flags are checked already.
        body: Everything after the fixed header.
        version: Protocol level of the connection.

    Raises:
        PacketError: it breaks a rule; the message names the clause.
    """
    reader = Reader(body)
    packet: Packet = _DECODERS[first >> 4](first, reader, version)
    reader.finish()
    return packet
