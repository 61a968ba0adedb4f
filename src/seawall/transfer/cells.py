"""What a cell becomes: one place decides types, for the exact path and the columns alike.

A value is an `Element`: the BSON type byte, and the bytes behind the name. Both
paths build documents from these, so they cannot differ.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Callable
from typing import Final

from seawall.transfer.layout_elements import LayoutMismatchError
from seawall.transfer.layouts import layout_of

DOUBLE, STRING, DOCUMENT, ARRAY, BINARY = 0x01, 0x02, 0x03, 0x04, 0x05
OBJECT_ID, BOOL, DATE, INT32, INT64, DECIMAL = 0x07, 0x08, 0x09, 0x10, 0x12, 0x13
"""Type bytes, bsonspec.org."""

Element = tuple[int, bytes]
Parser = Callable[[str], Element]

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
NOT_A_NUMBER: Final = struct.pack("<Q", 0x7FF8000000000001)
"""The bits that Go has for it, and so the original sends."""
MAX_DECIMAL: Final = 10**34 - 1
MIN_EXPONENT, MAX_EXPONENT = -6176, 6111

pack_int32 = struct.Struct("<i").pack
pack_int64 = struct.Struct("<q").pack
pack_double = struct.Struct("<d").pack

_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_HEX = r"[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL_FLOAT: Final = re.compile(
    rf"[+-]?(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?"
)
_HEX_FLOAT: Final = re.compile(
    rf"[+-]?0[xX](?:_?{_HEX}(?:\.(?:{_HEX})?)?|\.{_HEX})[pP][+-]?{_DIGITS}"
)
_INFINITY: Final = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE | re.ASCII)
_DECIMAL: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
_DECIMAL_INFINITY: Final = re.compile(r"([+-]?)inf(?:inity)?", re.IGNORECASE | re.ASCII)
_NUMBER_STARTS: Final = frozenset("0123456789+-.iInN")


class MisfitError(ValueError):
    """The cell is not of the type of its column."""


def encoded(text: str) -> bytes:
    """Return UTF-8; bytes that were none when they were read come out as they came in."""
    return text.encode("utf-8", "surrogateescape")


def string(text: str) -> Element:
    """Return a string, whatever it looks like."""
    raw = encoded(text)
    return STRING, pack_int32(len(raw) + 1) + raw + b"\0"


def float_of(text: str) -> float | None:
    """Return the number that a floating-point literal of Go stands for, None if it is none.

    Underscores between digits and hexadecimal mantissas with an exponent are fine;
    what is too large for a double is no number.
    """
    if _DECIMAL_FLOAT.fullmatch(text):
        number = float(text)
        return None if math.isinf(number) else number
    if _HEX_FLOAT.fullmatch(text):
        try:
            return float.fromhex(text.replace("_", ""))
        except OverflowError:
            return None
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text.lower() == "nan" else None


def packed_double(number: float) -> bytes:
    """Return the eight bytes of a double."""
    return NOT_A_NUMBER if number != number else pack_double(number)  # noqa: PLR0124  NaN


def infer(text: str) -> Element:
    """Return int32, int64, double or string, by what the cell looks like; never fails."""
    if not text or text[0] not in _NUMBER_STARTS:
        return string(text)
    if _INTEGER.fullmatch(text) and len(text) < 40:
        number = int(text)
        if INT32_MIN <= number <= INT32_MAX:
            return INT32, pack_int32(number)
        if INT64_MIN <= number <= INT64_MAX:
            return INT64, pack_int64(number)
    value = float_of(text)
    return string(text) if value is None else (DOUBLE, packed_double(value))


def _integer(low: int, high: int, kind: int, pack: Callable[[int], bytes]) -> Parser:
    def parse(text: str) -> Element:
        if not _INTEGER.fullmatch(text) or len(text) > 4000:
            raise MisfitError(text)
        number = int(text)
        if not low <= number <= high:
            raise MisfitError(text)
        return kind, pack(number)

    return parse


int32 = _integer(INT32_MIN, INT32_MAX, INT32, pack_int32)
int64 = _integer(INT64_MIN, INT64_MAX, INT64, pack_int64)


def double(text: str) -> Element:
    """Return a double."""
    number = float_of(text)
    if number is None:
        raise MisfitError(text)
    return DOUBLE, packed_double(number)


BOOLEANS: Final = {"true": b"\1", "1": b"\1", "false": b"\0", "0": b"\0"}


def boolean(text: str) -> Element:
    """Return a truth value: true, false in any case, 1, 0."""
    try:
        return BOOL, BOOLEANS[text.lower() if text.isascii() else ""]
    except KeyError:
        raise MisfitError(text) from None


def date(layout: str) -> Parser:
    """Return a parser of dates in a layout of Go's manner."""
    read = layout_of(layout).milliseconds

    def parse(text: str) -> Element:
        try:
            return DATE, pack_int64(read(text))
        except (LayoutMismatchError, struct.error):
            raise MisfitError(text) from None

    return parse


def _binary_parser(decode: Callable[[bytes], bytes], dropped: bytes) -> Parser:
    def parse(text: str) -> Element:
        try:
            raw = decode(encoded(text).translate(None, dropped))
        except (ValueError, binascii.Error):
            raise MisfitError(text) from None
        return BINARY, pack_int32(len(raw)) + b"\0" + raw

    return parse


def _from_base32(raw: bytes) -> bytes:
    padded = raw.find(b"=")
    # What follows the group with the padding is not looked at, as in Go.
    return base64.b32decode(raw if padded < 0 else raw[: padded // 8 * 8 + 8])


def _from_base64(raw: bytes) -> bytes:
    if len(raw) % 4:
        raise ValueError("no whole groups")
    return base64.b64decode(raw, validate=True)


BINARIES: Final[dict[str, Parser]] = {
    "hex": _binary_parser(binascii.unhexlify, b""),
    "base32": _binary_parser(_from_base32, b"\r\n"),
    "base64": _binary_parser(_from_base64, b"\r\n"),
}


def decimal(text: str) -> Element:
    """Return a decimal128 of at most 34 digits; zeros at the end and the exponent are kept."""
    if text.lower() in {"nan", "+nan", "-nan"} and text.isascii():
        return DECIMAL, bytes(15) + b"\x7c"
    if endless := _DECIMAL_INFINITY.fullmatch(text):
        return DECIMAL, bytes(15) + (b"\xf8" if endless[1] == "-" else b"\x78")
    found = _DECIMAL.fullmatch(text)
    if found is None or len(text) > 4000 or not (found[2] or found[3]):
        raise MisfitError(text)
    fraction = found[3] or ""
    exponent = int(found[4] or 0) - len(fraction)
    coefficient, exponent = _fitted(int(found[2] + fraction), exponent, text)
    return DECIMAL, packed_decimal(found[1] == "-", coefficient, exponent)


def _fitted(coefficient: int, exponent: int, text: str) -> tuple[int, int]:
    """Move zeros between coefficient and exponent until both are in range."""
    if not coefficient:
        return 0, max(MIN_EXPONENT, min(MAX_EXPONENT, exponent))
    if abs(exponent) > 20_000:
        raise MisfitError(text)
    while coefficient > MAX_DECIMAL or exponent < MIN_EXPONENT:
        coefficient, lost = divmod(coefficient, 10)
        exponent += 1
        if lost:
            raise MisfitError(text)
    while exponent > MAX_EXPONENT:
        coefficient *= 10
        exponent -= 1
        if coefficient > MAX_DECIMAL:
            raise MisfitError(text)
    return coefficient, exponent


def packed_decimal(negative: bool, coefficient: int, exponent: int) -> bytes:
    """Return the sixteen bytes, binary integer significand (IEEE 754-2008)."""
    number = coefficient | (exponent - MIN_EXPONENT) << 113 | (1 << 127 if negative else 0)
    return number.to_bytes(16, "little")
