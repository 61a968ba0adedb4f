"""Packets to bytes."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final

from seawall.wire.mqtt.codes import V5, V311, PacketError, PacketType
from seawall.wire.mqtt.fields import encode_binary, encode_text, encode_variable
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
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from seawall.wire.mqtt.properties import Properties, encode_properties

PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"

_SWAP: Final = sys.byteorder == "little"


def _frame(first: int, body: bytes) -> bytes:
    return bytes((first,)) + encode_variable(len(body)) + body


def _packet_id(number: int) -> bytes:
    if not 0 < number <= 0xFFFF:
        raise PacketError(f"packet identifier {number} is not 1 to 65535 [MQTT-2.2.1-3]")
    return number.to_bytes(2, "big")


def _properties(properties: Properties | None, version: int) -> bytes:
    if version == V5:
        return encode_properties(properties)
    if properties:
        raise PacketError("MQTT 3.1.1 has no properties")
    return b""


def encode_publish(packet: Publish, version: int = V311) -> bytes:
    """Encode PUBLISH (3.3).

    Raises:
        PacketError: a field does not fit.
    """
    topic, payload, qos, retain, dup, packet_id, properties = packet
    if not 0 <= qos <= 2 or (dup and not qos):
        raise PacketError(f"QoS {qos} with DUP {dup} [MQTT-3.3.1-2]")
    head = encode_text(topic)
    if qos:
        head += _packet_id(packet_id)
    if version == V5:
        head += encode_properties(properties)
    first = 0x30 | (dup << 3) | (qos << 1) | retain
    return bytes((first,)) + encode_variable(len(head) + len(payload)) + head + payload


def encode_acknowledgements(kind: PacketType, packet_ids: Sequence[int]) -> bytes:
    """Encode many successful PUBACKs or PUBRECs into one buffer, the same in both versions."""
    count = len(packet_ids)
    if count == 1:
        return bytes((kind << 4, 2)) + packet_ids[0].to_bytes(2, "big")
    words = array("H", bytes(4 * count))
    words[0::2] = array("H", ((kind << 12) | 2,)) * count
    words[1::2] = array("H", packet_ids)
    if _SWAP:
        words.byteswap()
    return words.tobytes()


def _encode_acknowledgement(packet: Acknowledgement, version: int) -> bytes:
    first = packet.packet_type << 4 | (2 if packet.packet_type == PacketType.PUBREL else 0)
    body = _packet_id(packet.packet_id)
    if packet.properties:
        body += bytes((packet.code,)) + _properties(packet.properties, version)
    elif packet.code and version == V5:
        body += bytes((packet.code,))
    return _frame(first, body)


def _encode_connect(packet: Connect, _version: int) -> bytes:
    will = packet.will
    version = packet.version
    flags = packet.clean_start << 1
    body = encode_text("MQTT")
    tail = encode_text(packet.client_id)
    if will is not None:
        flags |= 0x04 | will.qos << 3 | will.retain << 5
        tail += _properties(will.properties, version)
        tail += encode_text(will.topic) + encode_binary(will.payload)
    if packet.username is not None:
        flags |= 0x80
        tail += encode_text(packet.username)
    if packet.password is not None:
        flags |= 0x40
        tail += encode_binary(packet.password)
    body += bytes((version, flags)) + packet.keep_alive_s.to_bytes(2, "big")
    return _frame(0x10, body + _properties(packet.properties, version) + tail)


def _encode_connack(packet: ConnAck, version: int) -> bytes:
    body = bytes((packet.session_present, packet.code))
    return _frame(0x20, body + _properties(packet.properties, version))


def _options(subscription: Subscription, version: int) -> bytes:
    options = subscription.qos
    if version == V5:
        options |= subscription.no_local << 2 | subscription.retain_as_published << 3
        options |= subscription.retain_handling << 4
    return bytes((options,))


def _encode_subscribe(packet: Subscribe, version: int) -> bytes:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version)
    for subscription in packet.subscriptions:
        body += encode_text(subscription.topic_filter) + _options(subscription, version)
    return _frame(0x82, body)


def _encode_suback(packet: SubAck, version: int) -> bytes:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version)
    return _frame(0x90, body + bytes(packet.codes))


def _encode_unsubscribe(packet: Unsubscribe, version: int) -> bytes:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version)
    return _frame(0xA2, body + b"".join(map(encode_text, packet.topic_filters)))


def _encode_unsuback(packet: UnsubAck, version: int) -> bytes:
    body = _packet_id(packet.packet_id) + _properties(packet.properties, version)
    return _frame(0xB0, body + bytes(packet.codes if version == V5 else ()))


def _encode_reasoned(packet: Disconnect | Auth, version: int) -> bytes:
    first = 0xE0 if isinstance(packet, Disconnect) else 0xF0
    if packet.properties:
        return _frame(first, bytes((packet.code,)) + _properties(packet.properties, version))
    return _frame(first, bytes((packet.code,)) if packet.code and version == V5 else b"")


_ENCODERS: Final[dict[type[Any], Callable[[Any, int], bytes]]] = {
    Publish: encode_publish,
    Connect: _encode_connect,
    ConnAck: _encode_connack,
    PubAck: _encode_acknowledgement,
    PubRec: _encode_acknowledgement,
    PubRel: _encode_acknowledgement,
    PubComp: _encode_acknowledgement,
    Subscribe: _encode_subscribe,
    SubAck: _encode_suback,
    Unsubscribe: _encode_unsubscribe,
    UnsubAck: _encode_unsuback,
    PingReq: lambda _packet, _version: PINGREQ,
    PingResp: lambda _packet, _version: PINGRESP,
    Disconnect: _encode_reasoned,
    Auth: _encode_reasoned,
}


def encode(packet: Packet, version: int = V311) -> bytes:
    """Encode a packet for a protocol version (CONNECT carries its own).

    Raises:
        PacketError: a field does not fit.
    """
    return _ENCODERS[type(packet)](packet, version)
