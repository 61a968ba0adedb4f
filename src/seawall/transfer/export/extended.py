"""BSON documents to Extended JSON v2, relaxed or canonical.

The bytes are walked as they come: keys that stand twice, symbols and other types
that drivers turn into something else leave as what they are.

Source: the MongoDB Extended JSON v2 specification; bsonspec.org.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable
from typing import Final

from seawall.transfer.export.spelling import (
    LAST_RELAXED_MS,
    iso_relaxed,
    json_double,
    quoted,
    quoted_key,
)
from seawall.transfer.failures import TransferFailedError

OUTSIDE: Final = "a value does not end in its document"
OLD_BINARY: Final = 2
"""Subtype whose data begins with its length once more."""

Reader = Callable[[bytes, int], tuple[str, int]]
"""Takes the document and where a value begins; returns its text and where it ends."""

_int32: Final = struct.Struct("<i").unpack_from
_int64: Final = struct.Struct("<q").unpack_from
_double: Final = struct.Struct("<d").unpack_from
_timestamp: Final = struct.Struct("<II").unpack_from
_PART: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:]+', re.DOTALL)


def damaged(error: Exception) -> TransferFailedError:
    """Return the error for bytes that are no document."""
    return TransferFailedError(
        f"the server sent a document that is damaged: {type(error).__name__}: {error}"
    )


def string_end(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the UTF-8 of a BSON string, and where it ends."""
    end: int = start + 4 + _int32(data, start)[0]
    return data[start + 4 : end - 1], end


def binary_end(data: bytes, start: int) -> tuple[int, bytes, int]:
    """Return subtype and bytes of a BSON binary, and where it ends."""
    end: int = start + 5 + _int32(data, start)[0]
    subtype = data[start + 4]
    return subtype, data[start + (9 if subtype == OLD_BINARY else 5) : end], end


def cstrings_end(data: bytes, start: int) -> tuple[bytes, bytes, int]:
    """Return pattern and options of a BSON regular expression, and where it ends."""
    middle = data.index(0, start)
    end = data.index(0, middle + 1)
    return data[start:middle], data[middle + 1 : end], end + 1


class ExtendedJson:
    """Writes documents as one line each.

    Args:
        canonical: Name the type of every number, and give dates as milliseconds.
    """

    def __init__(self, canonical: bool = False) -> None:
        self._readers: dict[int, Reader] = {
            0x02: _string,
            0x03: self._document,
            0x04: self._array,
            0x05: _binary,
            0x06: _fixed('{"$undefined":true}'),
            0x07: _object_id,
            0x08: _bool,
            0x0A: _fixed("null"),
            0x0B: _regex,
            0x0C: _db_pointer,
            0x0D: _code,
            0x0E: _symbol,
            0x0F: self._scoped_code,
            0x11: _stamp,
            0x13: _decimal,
            0x7F: _fixed('{"$maxKey":1}'),
            0xFF: _fixed('{"$minKey":1}'),
        }
        if canonical:
            numbers = {0x01: _wrapped_double, 0x09: _wrapped_date, 0x10: _wrapped_int32}
            self._readers |= {**numbers, 0x12: _wrapped_int64}
        else:
            self._readers |= {0x01: _plain_double, 0x09: _date, 0x10: _plain_int32}
            self._readers |= {0x12: _plain_int64}

    def text(self, document: bytes) -> str:
        """Return a document as JSON without white space.

        Raises:
            TransferFailedError: The bytes are no BSON document.
        """
        try:
            return self._document(document, 0)[0]
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise damaged(error) from error

    def _document(self, data: bytes, start: int) -> tuple[str, int]:
        parts, end = self._members(data, start, named=True)
        return "{" + ",".join(parts) + "}", end

    def _array(self, data: bytes, start: int) -> tuple[str, int]:
        parts, end = self._members(data, start, named=False)
        return "[" + ",".join(parts) + "]", end

    def _members(self, data: bytes, start: int, named: bool) -> tuple[list[str], int]:
        end: int = start + _int32(data, start)[0]
        at = start + 4
        parts = []
        while data[at]:
            name_end = data.index(0, at + 1)
            text, following = self._readers[data[at]](data, name_end + 1)
            if not at < following < end:
                raise ValueError(OUTSIDE)
            if named:
                text = f"{quoted_key(data[at + 1 : name_end])}:{text}"
            parts.append(text)
            at = following
        return parts, end

    def _scoped_code(self, data: bytes, start: int) -> tuple[str, int]:
        code, scope_start = string_end(data, start + 4)
        scope, end = self._document(data, scope_start)
        return f'{{"$code":{quoted(code)},"$scope":{scope}}}', end


def indented(text: str) -> str:
    """Return JSON over many lines: a tab a level, a blank after each colon."""
    parts: list[str] = []
    depth = 0
    before = ""
    for part in _PART.findall(text):
        if part in "}]":
            depth -= 1
            if before not in "{[":
                parts.append("\n" + "\t" * depth)
        elif before and before in "{[,":
            parts.append("\n" + "\t" * depth)
        parts.append(": " if part == ":" else part)
        depth += part in "{["
        before = part
    return "".join(parts)


# Types


def _fixed(text: str) -> Reader:
    return lambda _data, start: (text, start)


def _string(data: bytes, start: int) -> tuple[str, int]:
    raw, end = string_end(data, start)
    return quoted(raw), end


def _binary(data: bytes, start: int) -> tuple[str, int]:
    subtype, raw, end = binary_end(data, start)
    text = base64.b64encode(raw).decode()
    return f'{{"$binary":{{"base64":"{text}","subType":"{subtype:02x}"}}}}', end


def _object_id(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$oid":"{data[start : start + 12].hex()}"}}', start + 12


def _bool(data: bytes, start: int) -> tuple[str, int]:
    return "true" if data[start] else "false", start + 1


def _regex(data: bytes, start: int) -> tuple[str, int]:
    pattern, options, end = cstrings_end(data, start)
    inner = f'"pattern":{quoted(pattern)},"options":{quoted(bytes(sorted(options)))}'
    return f'{{"$regularExpression":{{{inner}}}}}', end


def _db_pointer(data: bytes, start: int) -> tuple[str, int]:
    namespace, at = string_end(data, start)
    object_id, end = _object_id(data, at)
    return f'{{"$dbPointer":{{"$ref":{quoted(namespace)},"$id":{object_id}}}}}', end


def _code(data: bytes, start: int) -> tuple[str, int]:
    raw, end = string_end(data, start)
    return f'{{"$code":{quoted(raw)}}}', end


def _symbol(data: bytes, start: int) -> tuple[str, int]:
    raw, end = string_end(data, start)
    return f'{{"$symbol":{quoted(raw)}}}', end


def _stamp(data: bytes, start: int) -> tuple[str, int]:
    increment, seconds = _timestamp(data, start)
    return f'{{"$timestamp":{{"t":{seconds},"i":{increment}}}}}', start + 8


def _decimal(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$numberDecimal":"{decimal_text(data, start)}"}}', start + 16


def _plain_int32(data: bytes, start: int) -> tuple[str, int]:
    return str(_int32(data, start)[0]), start + 4


def _plain_int64(data: bytes, start: int) -> tuple[str, int]:
    return str(_int64(data, start)[0]), start + 8


def _wrapped_int32(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$numberInt":"{_int32(data, start)[0]}"}}', start + 4


def _wrapped_int64(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$numberLong":"{_int64(data, start)[0]}"}}', start + 8


def _plain_double(data: bytes, start: int) -> tuple[str, int]:
    text = json_double(_double(data, start)[0])
    return (text if text[-1].isdigit() else f'{{"$numberDouble":"{text}"}}'), start + 8


def _wrapped_double(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$numberDouble":"{json_double(_double(data, start)[0])}"}}', start + 8


def _date(data: bytes, start: int) -> tuple[str, int]:
    at_ms = _int64(data, start)[0]
    if 0 <= at_ms <= LAST_RELAXED_MS:
        return f'{{"$date":"{iso_relaxed(at_ms)}"}}', start + 8
    return _wrapped_date(data, start)


def _wrapped_date(data: bytes, start: int) -> tuple[str, int]:
    return f'{{"$date":{{"$numberLong":"{_int64(data, start)[0]}"}}}}', start + 8


def decimal_text(data: bytes, start: int) -> str:
    """Return a decimal128 as text: ``1.50``, ``1E+3``, ``NaN``, ``-Infinity``.

    Source: the BSON Decimal128 specification, "To string".
    """
    bits = int.from_bytes(data[start : start + 16], "little")
    sign = "-" if bits >> 127 else ""
    kind = bits >> 122 & 0b11111
    if kind == 0b11111:
        return "NaN"
    if kind == 0b11110:
        return sign + "Infinity"
    if kind >> 3 == 0b11:
        # A significand that begins with 0b100 is over 34 digits; such stand for zero.
        exponent, digits = (bits >> 111 & 0x3FFF) - 6176, "0"
    else:
        exponent, significand = (bits >> 113 & 0x3FFF) - 6176, bits & (1 << 113) - 1
        digits = str(significand) if significand < 10**34 else "0"
    scientific = exponent + len(digits) - 1
    if exponent > 0 or scientific < -6:
        fraction = "." + digits[1:] if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}E{scientific:+d}"
    if exponent == 0:
        return sign + digits
    padded = digits.rjust(1 - exponent, "0")
    return f"{sign}{padded[:exponent]}.{padded[exponent:]}"
