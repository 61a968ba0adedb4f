"""The properties of MQTT 5.0 (2.2.2): which type each has, and where it may stand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from seawall.wire.mqtt.codes import PacketError, PacketType, Property, ReasonCode
from seawall.wire.mqtt.fields import (
    Reader,
    check_topic_name,
    encode_binary,
    encode_text,
    encode_variable,
)

Value: TypeAlias = int | str | bytes | list[tuple[str, str]] | list[int]
Properties: TypeAlias = dict[int, Value]
"""Identifier to value. User properties are a list of pairs, subscription identifiers
of a PUBLISH a list of numbers; all else stands once."""

WILL: Final = 0
"""Stands for the properties of a will, beside the packet types."""

_P = Property
_T = PacketType
_REASONED: Final = frozenset({_P.REASON_STRING, _P.USER_PROPERTY})
_MESSAGE: Final = frozenset(
    {
        _P.PAYLOAD_FORMAT,
        _P.MESSAGE_EXPIRY,
        _P.CONTENT_TYPE,
        _P.RESPONSE_TOPIC,
        _P.CORRELATION_DATA,
        _P.USER_PROPERTY,
    }
)

ALLOWED: Final[dict[int, frozenset[Property]]] = {
    WILL: _MESSAGE | {_P.WILL_DELAY},
    _T.CONNECT: frozenset(
        {
            _P.SESSION_EXPIRY,
            _P.RECEIVE_MAXIMUM,
            _P.MAXIMUM_PACKET_SIZE,
            _P.TOPIC_ALIAS_MAXIMUM,
            _P.REQUEST_RESPONSE_INFO,
            _P.REQUEST_PROBLEM_INFO,
            _P.USER_PROPERTY,
            _P.AUTH_METHOD,
            _P.AUTH_DATA,
        }
    ),
    _T.CONNACK: _REASONED
    | {
        _P.SESSION_EXPIRY,
        _P.RECEIVE_MAXIMUM,
        _P.MAXIMUM_QOS,
        _P.RETAIN_AVAILABLE,
        _P.MAXIMUM_PACKET_SIZE,
        _P.ASSIGNED_CLIENT_ID,
        _P.TOPIC_ALIAS_MAXIMUM,
        _P.WILDCARD_AVAILABLE,
        _P.SUBSCRIPTION_ID_AVAILABLE,
        _P.SHARED_AVAILABLE,
        _P.SERVER_KEEP_ALIVE,
        _P.RESPONSE_INFO,
        _P.SERVER_REFERENCE,
        _P.AUTH_METHOD,
        _P.AUTH_DATA,
    },
    _T.PUBLISH: _MESSAGE | {_P.TOPIC_ALIAS, _P.SUBSCRIPTION_ID},
    _T.PUBACK: _REASONED,
    _T.PUBREC: _REASONED,
    _T.PUBREL: _REASONED,
    _T.PUBCOMP: _REASONED,
    _T.SUBSCRIBE: frozenset({_P.SUBSCRIPTION_ID, _P.USER_PROPERTY}),
    _T.SUBACK: _REASONED,
    _T.UNSUBSCRIBE: frozenset({_P.USER_PROPERTY}),
    _T.UNSUBACK: _REASONED,
    _T.DISCONNECT: _REASONED | {_P.SESSION_EXPIRY, _P.SERVER_REFERENCE},
    _T.AUTH: _REASONED | {_P.AUTH_METHOD, _P.AUTH_DATA},
}

_SIZES: Final[dict[int, int]] = {
    _P.PAYLOAD_FORMAT: 1,
    _P.MESSAGE_EXPIRY: 4,
    _P.SESSION_EXPIRY: 4,
    _P.SERVER_KEEP_ALIVE: 2,
    _P.REQUEST_PROBLEM_INFO: 1,
    _P.WILL_DELAY: 4,
    _P.REQUEST_RESPONSE_INFO: 1,
    _P.RECEIVE_MAXIMUM: 2,
    _P.TOPIC_ALIAS_MAXIMUM: 2,
    _P.TOPIC_ALIAS: 2,
    _P.MAXIMUM_QOS: 1,
    _P.RETAIN_AVAILABLE: 1,
    _P.MAXIMUM_PACKET_SIZE: 4,
    _P.WILDCARD_AVAILABLE: 1,
    _P.SUBSCRIPTION_ID_AVAILABLE: 1,
    _P.SHARED_AVAILABLE: 1,
}
_BINARY: Final = frozenset({_P.CORRELATION_DATA, _P.AUTH_DATA})
_NEVER_ZERO: Final[dict[int, ReasonCode]] = {
    _P.RECEIVE_MAXIMUM: ReasonCode.PROTOCOL_ERROR,
    _P.MAXIMUM_PACKET_SIZE: ReasonCode.PROTOCOL_ERROR,
    _P.TOPIC_ALIAS: ReasonCode.TOPIC_ALIAS_INVALID,
    _P.SUBSCRIPTION_ID: ReasonCode.PROTOCOL_ERROR,
}


def _protocol_error(message: str) -> PacketError:
    return PacketError(message, ReasonCode.PROTOCOL_ERROR)


def _read_value(reader: Reader, number: int) -> int | str | bytes:
    size = _SIZES.get(number)
    if size is not None:
        value = reader.integer(size)
        if size == 1 and value > 1:
            raise _protocol_error(f"property 0x{number:02x} is {value}, not 0 or 1 (2.2.2.2)")
    elif number == _P.SUBSCRIPTION_ID:
        value = reader.variable()
    elif number in _BINARY:
        return reader.binary()
    else:
        text = reader.text()
        return check_topic_name(text) if number == _P.RESPONSE_TOPIC else text
    if value == 0 and number in _NEVER_ZERO:
        raise PacketError(f"property 0x{number:02x} is 0 (2.2.2.2)", _NEVER_ZERO[number])
    return value


def read_properties(reader: Reader, place: int) -> Properties | None:
    """Read the properties at ``reader``.

    Args:
        reader: Stands before the property length.
        place: A `PacketType`, or `WILL`.

    Returns:
        None if there are none.

    Raises:
        PacketError: unknown, misplaced, doubled or out of range (2.2.2.2).
    """
    length = reader.variable()
    if length == 0:
        return None
    part = reader.part(length)
    allowed = ALLOWED[place]
    found: Properties = {}
    while part.left:
        number = part.variable()
        if number not in allowed:
            raise PacketError(f"property 0x{number:02x} may not stand in this packet (2.2.2.2)")
        if number == _P.USER_PROPERTY:
            pairs = found.setdefault(number, [])
            pairs.append((part.text(), part.text()))  # type: ignore[union-attr, arg-type]
        elif number == _P.SUBSCRIPTION_ID and place == _T.PUBLISH:
            numbers = found.setdefault(number, [])
            numbers.append(_read_value(part, number))  # type: ignore[union-attr, arg-type]
        elif number in found:
            raise _protocol_error(f"property 0x{number:02x} stands twice (2.2.2.2)")
        else:
            found[number] = _read_value(part, number)
    if _P.AUTH_DATA in found and _P.AUTH_METHOD not in found:
        raise _protocol_error("authentication data without a method (3.1.2.11.10)")
    return found


def _encode_one(number: int, value: Value) -> bytes:
    head = bytes((number,))
    if number == _P.USER_PROPERTY:
        pairs: list[tuple[str, str]] = value  # type: ignore[assignment]
        return b"".join(head + encode_text(name) + encode_text(text) for name, text in pairs)
    if number == _P.SUBSCRIPTION_ID:
        numbers: list[int] = value if isinstance(value, list) else [value]  # type: ignore[assignment, list-item]
        return b"".join(head + encode_variable(each) for each in numbers)
    if isinstance(value, int):
        return head + value.to_bytes(_SIZES[number], "big")
    writer: Callable[[bytes], bytes] = encode_binary
    if isinstance(value, bytes):
        return head + writer(value)
    return head + encode_text(str(value))


def encode_properties(properties: Properties | None) -> bytes:
    """Encode properties with their length.

    Raises:
        PacketError: if a field is too long.
    """
    if not properties:
        return b"\0"
    body = b"".join(_encode_one(number, value) for number, value in properties.items())
    return encode_variable(len(body)) + body
