"""BSON documents to rows of cells: dotted paths, and values as the original spells them in CSV."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Sequence
from typing import Final

from seawall.transfer.export.extended import (
    OUTSIDE,
    binary_end,
    cstrings_end,
    damaged,
    decimal_text,
    string_end,
)
from seawall.transfer.export.spelling import (
    FIRST_UNSPELLED_MS,
    csv_double,
    iso_milliseconds,
    legacy_double,
    legacy_quoted,
)

DOCUMENT, ARRAY, NULL = 0x03, 0x04, 0x0A
Spell = Callable[[bytes, int], str]

_int32: Final = struct.Struct("<i").unpack_from
_int64: Final = struct.Struct("<q").unpack_from
_double: Final = struct.Struct("<d").unpack_from
_timestamp: Final = struct.Struct("<II").unpack_from
_SIZES: Final = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}


class Row:
    """Makes rows of documents.

    Args:
        fields: Dotted paths; ``a.$`` stands for ``a``.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.names = [each.removesuffix(".$") for each in fields]
        self._paths = [[step.encode() for step in name.split(".")] for name in self.names]

    def cells(self, document: bytes) -> list[str]:
        """Return a cell for each field, empty where it is missing or null.

        Raises:
            TransferFailedError: The bytes are no BSON document.
        """
        try:
            places = members(document, 0)
            return [_cell(document, places, path) for path in self._paths]
        except (struct.error, IndexError, KeyError, ValueError) as error:
            raise damaged(error) from error


def _cell(data: bytes, top: dict[bytes, tuple[int, int]], path: Sequence[bytes]) -> str:
    kind, start = DOCUMENT, 0
    for depth, step in enumerate(path):
        if kind not in (DOCUMENT, ARRAY):
            return ""
        places = members(data, start) if depth else top
        if kind == ARRAY:
            step = _index(step)  # noqa: PLW2901
        if step not in places:
            return ""
        kind, start = places[step]
    return _SPELLED[kind](data, start)


def _index(step: bytes) -> bytes:
    """Return the index of an array as BSON spells it."""
    try:
        return b"%d" % int(step)
    except ValueError:
        return b""


def members(data: bytes, start: int) -> dict[bytes, tuple[int, int]]:
    """Return type and place of each value in a document by its name; the first of a name."""
    found: dict[bytes, tuple[int, int]] = {}
    for name, kind, at in _in_order(data, start):
        found.setdefault(name, (kind, at))
    return found


def _length(kind: int, data: bytes, start: int) -> int:
    """Return how many bytes a value takes."""
    if kind in _SIZES:
        return _SIZES[kind]
    if kind == 0x0B:
        return cstrings_end(data, start)[2] - start
    length: int = _int32(data, start)[0]
    if kind in (DOCUMENT, ARRAY, 0x0F):
        return length
    return {0x02: 4, 0x0D: 4, 0x0E: 4, 0x05: 5, 0x0C: 16}[kind] + length


# Cells


def _text(data: bytes, start: int) -> str:
    return string_end(data, start)[0].decode("utf-8", "surrogateescape")


def _date_cell(data: bytes, start: int) -> str:
    at_ms = _int64(data, start)[0]
    if at_ms < FIRST_UNSPELLED_MS:
        return iso_milliseconds(at_ms)
    return f'{{ "$date": {{ "$numberLong" : "{at_ms}" }}}}'


def _stamp_cell(data: bytes, start: int) -> str:
    increment, seconds = _timestamp(data, start)
    return f'{{ "$timestamp": {{ "t": {seconds}, "i": {increment} }} }}'


def _regex_cell(data: bytes, start: int) -> str:
    pattern, options, _ = cstrings_end(data, start)
    return f"/{pattern.decode('utf-8', 'surrogateescape')}/{options.decode('utf-8', 'replace')}"


def _pointer_cell(data: bytes, start: int) -> str:
    namespace, at = string_end(data, start)
    shown = namespace.decode("utf-8", "surrogateescape")
    return f'{{ "$ref": "{shown}", "$id": ObjectID("{data[at : at + 12].hex()}") }}'


# Legacy JSON, for documents and arrays in a cell


def _legacy_document(data: bytes, start: int) -> str:
    parts = [
        f"{legacy_quoted(name)}:{_LEGACY[kind](data, at)}"
        for name, kind, at in _in_order(data, start)
    ]
    return "{" + ",".join(parts) + "}"


def _legacy_array(data: bytes, start: int) -> str:
    return "[" + ",".join(_LEGACY[kind](data, at) for _, kind, at in _in_order(data, start)) + "]"


def _in_order(data: bytes, start: int) -> list[tuple[bytes, int, int]]:
    """Return name, type and place of every value, those that stand twice as well."""
    found = []
    at, end = start + 4, start + _int32(data, start)[0]
    while kind := data[at]:
        name_end = data.index(0, at + 1)
        found.append((data[at + 1 : name_end], kind, name_end + 1))
        following = name_end + 1 + _length(kind, data, name_end + 1)
        if not at < following < end:
            raise ValueError(OUTSIDE)
        at = following
    return found


def _legacy_date(data: bytes, start: int) -> str:
    at_ms = _int64(data, start)[0]
    if at_ms < FIRST_UNSPELLED_MS:
        return f'{{"$date":"{iso_milliseconds(at_ms)}"}}'
    return f'{{"$date":{{"$numberLong":"{at_ms}"}}}}'


def _legacy_binary(data: bytes, start: int) -> str:
    subtype, raw, _ = binary_end(data, start)
    return f'{{"$binary":"{base64.b64encode(raw).decode()}","$type":"{subtype:02x}"}}'


def _legacy_regex(data: bytes, start: int) -> str:
    pattern, options, _ = cstrings_end(data, start)
    return f'{{"$regex":{legacy_quoted(pattern)},"$options":{legacy_quoted(options)}}}'


def _legacy_stamp(data: bytes, start: int) -> str:
    increment, seconds = _timestamp(data, start)
    return f'{{"$timestamp":{{"t":{seconds},"i":{increment}}}}}'


def _legacy_pointer(data: bytes, start: int) -> str:
    namespace, at = string_end(data, start)
    return f'{{"$ref":{legacy_quoted(namespace)},"$id":{{"$oid":"{data[at : at + 12].hex()}"}}}}'


def _legacy_scoped_code(data: bytes, start: int) -> str:
    code, at = string_end(data, start + 4)
    return f'{{"$code":{legacy_quoted(code)},"$scope":{_legacy_document(data, at)}}}'


def _bool(data: bytes, start: int) -> str:
    return "true" if data[start] else "false"


_SPELLED: Final[dict[int, Spell]] = {
    0x01: lambda data, start: csv_double(_double(data, start)[0]),
    0x02: _text,
    DOCUMENT: _legacy_document,
    ARRAY: _legacy_array,
    0x05: lambda data, start: binary_end(data, start)[1].hex().upper(),
    0x06: lambda _data, _start: '{ "$undefined": true }',
    0x07: lambda data, start: f"ObjectId({data[start : start + 12].hex()})",
    0x08: _bool,
    0x09: _date_cell,
    NULL: lambda _data, _start: "",
    0x0B: _regex_cell,
    0x0C: _pointer_cell,
    0x0D: _text,
    0x0E: _text,
    0x0F: lambda data, start: _text(data, start + 4),
    0x10: lambda data, start: str(_int32(data, start)[0]),
    0x11: _stamp_cell,
    0x12: lambda data, start: str(_int64(data, start)[0]),
    0x13: decimal_text,
    0x7F: lambda _data, _start: "$MaxKey",
    0xFF: lambda _data, _start: "$MinKey",
}
"""A value that is a cell of its own."""

_LEGACY: Final[dict[int, Spell]] = {
    0x01: lambda data, start: legacy_double(_double(data, start)[0]),
    0x02: lambda data, start: legacy_quoted(string_end(data, start)[0]),
    DOCUMENT: _legacy_document,
    ARRAY: _legacy_array,
    0x05: _legacy_binary,
    0x06: lambda _data, _start: '{"$undefined":true}',
    0x07: lambda data, start: f'{{"$oid":"{data[start : start + 12].hex()}"}}',
    0x08: _bool,
    0x09: _legacy_date,
    NULL: lambda _data, _start: "null",
    0x0B: _legacy_regex,
    0x0C: _legacy_pointer,
    0x0D: lambda data, start: f'{{"$code":{legacy_quoted(string_end(data, start)[0])}}}',
    0x0E: lambda data, start: legacy_quoted(string_end(data, start)[0]),
    0x0F: _legacy_scoped_code,
    0x10: lambda data, start: str(_int32(data, start)[0]),
    0x11: _legacy_stamp,
    0x12: lambda data, start: f'{{"$numberLong":"{_int64(data, start)[0]}"}}',
    0x13: lambda data, start: f'{{"$numberDecimal":"{decimal_text(data, start)}"}}',
    0x7F: lambda _data, _start: '{"$maxKey":1}',
    0xFF: lambda _data, _start: '{"$minKey":1}',
}
"""A value inside a document or an array that is a cell."""
