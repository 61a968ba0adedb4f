"""Extended JSON v2: objects that stand for BSON values.

Source: MongoDB Extended JSON (v2) specification, and section 13.2 of the facts
about mongoimport. One table decides for the exact and for the fast path.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from typing import Any, Final

from seawall.transfer import cells
from seawall.transfer.cells import Element, MisfitError, pack_int32, pack_int64
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.layout_elements import LayoutMismatchError
from seawall.transfer.layouts import layout_of

UNDEFINED, REGEX, DB_POINTER, CODE, SYMBOL, SCOPED_CODE, TIMESTAMP = 6, 11, 12, 13, 14, 15, 17
MIN_KEY, MAX_KEY, NULL = 0xFF, 0x7F, 0x0A
UINT32: Final = 2**32
ISO: Final = tuple(layout_of(f"2006-01-02T15:04:05.999{zone}") for zone in ("Z07:00", "Z0700"))
_UUID: Final = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_OID: Final = re.compile(rb"[0-9a-fA-F]{24}")


class Pairs(list[tuple[bytes, Any]]):
    """An object: its keys and values in order, the same key as often as it came."""

    may_stand_for_value = True


def problem(text: str) -> TransferFailedError:
    """Return the error for an object that does not stand for what its key says."""
    return TransferFailedError(text)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, bytes):
        raise problem(f"invalid JSON input; expected value for {what}")
    return value.decode("utf-8", "surrogateescape")


def _parsed(value: Any, what: str, parse: cells.Parser, key: str) -> Element:
    text = _text(value, what)
    try:
        return parse(text)
    except MisfitError:
        raise problem(f"invalid {key} value string: {text}") from None


def _object_id(value: Any) -> Element:
    text = value if isinstance(value, bytes) else _text(value, "objectID").encode()
    if not _OID.fullmatch(text):
        raise problem("the provided hex string is not a valid ObjectID")
    return cells.OBJECT_ID, binascii.unhexlify(text)


def _string(value: bytes) -> bytes:
    return pack_int32(len(value) + 1) + value + b"\0"


def _symbol(value: Any) -> Element:
    return SYMBOL, _string(_text(value, "symbol").encode("utf-8", "surrogateescape"))


def _int32(value: Any) -> Element:
    return _parsed(value, "32-bit integer", cells.int32, "$numberInt")


def _int64(value: Any) -> Element:
    return _parsed(value, "64-bit integer", cells.int64, "$numberLong")


def _double(value: Any) -> Element:
    return _parsed(value, "double", cells.double, "$numberDouble")


def _decimal(value: Any) -> Element:
    return _parsed(value, "decimal", cells.decimal, "$numberDecimal")


def packed_binary(raw: bytes, subtype: int) -> Element:
    """Return binary data; subtype 2 has its length twice (bsonspec.org)."""
    if subtype == 2:
        raw = pack_int32(len(raw)) + raw
    return cells.BINARY, pack_int32(len(raw)) + bytes((subtype,)) + raw


def from_base64(value: Any) -> bytes:
    """Return the bytes of strict base64."""
    text = _text(value, "binary")
    try:
        raw = text.encode("ascii").translate(None, b"\r\n")
        if len(raw) % 4:
            raise ValueError
        return base64.b64decode(raw, validate=True)
    except (ValueError, binascii.Error):
        raise problem(f"invalid $binary base64 string: {text}") from None


def subtype_of(value: Any) -> int:
    """Return the number of one or two hexadecimal digits."""
    text = _text(value, "binary")
    if not re.fullmatch(r"[0-9a-fA-F]{1,2}", text):
        raise problem(f"invalid $binary subType string: {text}")
    return int(text, 16)


def _binary(value: Any) -> Element:
    if not isinstance(value, Pairs) or len(value) != 2:
        raise problem("$binary value should be object")
    members = dict(value)
    if set(members) != {b"base64", b"subType"}:
        raise problem("$binary has base64 and subType, and nothing else")
    return packed_binary(from_base64(members[b"base64"]), subtype_of(members[b"subType"]))


def _uuid(value: Any) -> Element:
    text = _text(value, "uuid").encode("utf-8", "surrogateescape")
    if not _UUID.fullmatch(text):
        raise problem("$uuid value does not follow RFC 4122 format regarding length and hyphens")
    return packed_binary(binascii.unhexlify(text.replace(b"-", b"")), 4)


def _code(value: Any) -> Element:
    return CODE, _string(_text(value, "code").encode("utf-8", "surrogateescape"))


def _timestamp(value: Any) -> Element:
    if not isinstance(value, Pairs) or sorted(key for key, _ in value) != [b"i", b"t"]:
        raise problem("$timestamp has t and i, and nothing else")
    members = dict(value)
    for key in (b"t", b"i"):
        number = members[key]
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < UINT32:
            raise problem(f"$timestamp {key.decode()} number should be uint32: {number}")
    return TIMESTAMP, struct.pack("<II", members[b"i"], members[b"t"])


def packed_regex(pattern: bytes, options: bytes) -> Element:
    """Return a regular expression; its options in the order of the alphabet."""
    if b"\0" in pattern + options:
        raise problem("a regular expression cannot contain null bytes")
    return REGEX, pattern + b"\0" + bytes(sorted(options)) + b"\0"


def _regex(value: Any) -> Element:
    if not isinstance(value, Pairs) or {key for key, _ in value} != {b"pattern", b"options"}:
        raise problem("$regularExpression has pattern and options, and nothing else")
    members = dict(value)
    raw = [_text(members[key], "regex") for key in (b"pattern", b"options")]
    pattern, options = (each.encode("utf-8", "surrogateescape") for each in raw)
    return packed_regex(pattern, options)


def _db_pointer(value: Any) -> Element:
    if not isinstance(value, Pairs) or {key for key, _ in value} != {b"$ref", b"$id"}:
        raise problem("$dbPointer has $ref and $id, and nothing else")
    members = dict(value)
    name = _text(members[b"$ref"], "dbPointer").encode("utf-8", "surrogateescape")
    found = members[b"$id"]
    if isinstance(found, Pairs) and [key for key, _ in found] == [b"$oid"]:
        found = found[0][1]
    return DB_POINTER, _string(name) + _object_id(found)[1]


def _date(value: Any) -> Element:
    if isinstance(value, Pairs):
        if [key for key, _ in value] != [b"$numberLong"]:
            raise problem("$date value should be string or object")
        return cells.DATE, _int64(value[0][1])[1]
    if isinstance(value, int) and not isinstance(value, bool):
        if not cells.INT64_MIN <= value <= cells.INT64_MAX:
            raise problem("$date value should be string or object, but instead is double")
        return cells.DATE, pack_int64(value)
    if not isinstance(value, bytes):
        kind = kind_name(value)
        raise problem(f"$date value should be string or object, but instead is {kind}")
    text = value.decode("utf-8", "surrogateescape")
    for layout in ISO:
        try:
            return cells.DATE, pack_int64(layout.milliseconds(text))
        except LayoutMismatchError:
            continue
    raise problem(f"invalid $date value string: {text}")


def _one(key: str, kind: int) -> Callable[[Any], Element]:
    def read(value: Any) -> Element:
        if value != 1 or isinstance(value, bool | float):
            raise problem(f"{key} value must be 1, but instead is {value}")
        return kind, b""

    return read


def _undefined(value: Any) -> Element:
    if value is not True:
        raise problem(f"$undefined value boolean should be true, but instead is {value}")
    return UNDEFINED, b""


def kind_name(value: Any) -> str:
    """Return what messages call a value."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "32-bit integer" if -(2**31) <= value < 2**31 else "64-bit integer"
    names = {float: "double", bytes: "string", list: "array", Pairs: "embedded document"}
    return names.get(type(value), "null")


WRAPPERS: Final[dict[bytes, Callable[[Any], Element]]] = {
    b"$oid": _object_id,
    b"$symbol": _symbol,
    b"$numberInt": _int32,
    b"$numberLong": _int64,
    b"$numberDouble": _double,
    b"$numberDecimal": _decimal,
    b"$binary": _binary,
    b"$uuid": _uuid,
    b"$code": _code,
    b"$timestamp": _timestamp,
    b"$regularExpression": _regex,
    b"$dbPointer": _db_pointer,
    b"$date": _date,
    b"$minKey": _one("$minKey", MIN_KEY),
    b"$maxKey": _one("$maxKey", MAX_KEY),
    b"$undefined": _undefined,
}
FIRST_KEYS: Final = frozenset({*WRAPPERS, b"$scope"})
"""An object that begins with one of these is no document."""

Encode = Callable[[Any], Element]


def unwrapped(pairs: Pairs, encode: Encode) -> Element:
    """Return what an object stands for, whose first key is one of `FIRST_KEYS`.

    Args:
        pairs: Its members.
        encode: Makes the element of any value, for the scope of code.

    Raises:
        TransferFailedError: It is none of that kind.
    """
    key, value = pairs[0]
    if key == b"$scope":
        raise problem("invalid extended JSON: code with $scope must contain $code before $scope")
    if len(pairs) == 1:
        return WRAPPERS[key](value)
    second, other = pairs[1]
    if len(pairs) == 2 and key == b"$code" and second == b"$scope":
        if not isinstance(other, Pairs):
            raise problem("invalid JSON input; expected $scope to be embedded document")
        body = _code(value)[1] + encode(other)[1]
        return SCOPED_CODE, pack_int32(len(body) + 4) + body
    if len(pairs) == 2 and key == b"$binary" and second == b"$type":
        return packed_binary(from_base64(value), subtype_of(other))
    raise problem(f"invalid JSON input; expected }} after value for {key.decode()}")


def encoded(value: Any, depth: int = 0) -> Element:
    """Return the element of a parsed JSON value."""
    if isinstance(value, bytes):
        return cells.STRING, _string(value)
    if isinstance(value, bool):
        return cells.BOOL, b"\1" if value else b"\0"
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return cells.DOUBLE, cells.packed_double(value)
    if isinstance(value, Pairs):
        if value and value[0][0] in FIRST_KEYS and value.may_stand_for_value:
            return unwrapped(value, encoded)
        return cells.DOCUMENT, document(value)
    if isinstance(value, list):
        members = [(str(index).encode(), each) for index, each in enumerate(value)]
        return cells.ARRAY, document(members)
    if value is None:
        return NULL, b""
    element: Element = value  # the legacy parser makes these itself
    return element


def integer(number: int) -> Element:
    """Return int32 if it fits, else int64, else double."""
    if cells.INT32_MIN <= number <= cells.INT32_MAX:
        return cells.INT32, pack_int32(number)
    if cells.INT64_MIN <= number <= cells.INT64_MAX:
        return cells.INT64, pack_int64(number)
    try:
        return cells.DOUBLE, cells.pack_double(float(number))
    except OverflowError:
        raise problem("strconv.ParseFloat: parsing an integer: value out of range") from None


def document(members: list[tuple[bytes, Any]]) -> bytes:
    """Return members as a document, without looking for wrappers at this level."""
    parts = []
    for key, value in members:
        if b"\0" in key:
            raise problem("bson encoding error: BSON element key cannot contain null bytes")
        kind, payload = encoded(value)
        parts += [bytes((kind,)), key, b"\0", payload]
    body = b"".join(parts)
    return pack_int32(len(body) + 5) + body + b"\0"
