"""What each document asks of the server: insert, replace, change or delete, as BSON bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.transfer import cells, options
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.cells import Element, pack_int32

UPDATE: Final = "update"
NULL: Final[Element] = (0x0A, b"")
SIZES: Final = dict(
    zip(
        (0x01, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x10, 0x11, 0x12, 0x13, 0x7F, 0xFF),
        (8, 0, 12, 1, 8, 0, 4, 8, 8, 16, 0, 0),
        strict=True,
    )
)
"""Bytes of the types of one size, bsonspec.org."""
SEQUENCES: Final = {options.INSERT: b"documents", UPDATE: b"updates", options.DELETE: b"deletes"}
_length = struct.Struct("<i").unpack_from


@dataclass(frozen=True)
class Operation:
    """One write: ``insert``, ``update`` or ``delete``, and its part of the command."""

    kind: str
    raw: bytes


def elements(raw: bytes) -> Iterator[tuple[bytes, Element]]:
    """Yield the names and values of a document."""
    at, end = 4, len(raw) - 1
    while at < end:
        kind = raw[at]
        name_end = raw.index(b"\0", at + 1)
        start = name_end + 1
        stop = start + _size(kind, raw, start)
        yield raw[at + 1 : name_end], (kind, raw[start:stop])
        at = stop


def _size(kind: int, raw: bytes, start: int) -> int:
    if kind in SIZES:
        return SIZES[kind]
    if kind == 0x0B:
        return raw.index(b"\0", raw.index(b"\0", start) + 1) + 1 - start
    (length,) = _length(raw, start)
    if kind in {0x02, 0x0D, 0x0E}:
        return 4 + int(length)
    if kind == 0x05:
        return 5 + int(length)
    return 16 + int(length) if kind == 0x0C else int(length)


def field(raw: bytes, path: Sequence[bytes]) -> Element:
    """Return the value at a dotted path through sub-documents; null if there is none."""
    for name, element in elements(raw):
        if name == path[0]:
            if len(path) == 1:
                return element
            return field(element[1], path[1:]) if element[0] == cells.DOCUMENT else NULL
    return NULL


def _document(parts: Sequence[bytes]) -> bytes:
    body = b"".join(parts)
    return pack_int32(len(body) + 5) + body + b"\0"


class Planner:
    """Says what a document becomes in one mode.

    Args:
        mode: One of `options.MODES`, not insert.
        fields: What finds the document in the server.
        ids: Makes the `_id` of documents that are inserted after all.
    """

    def __init__(self, mode: str, fields: Sequence[str], ids: ObjectIds) -> None:
        self._mode, self._ids = mode, ids
        self._paths = [(each.encode(), each.encode().split(b".")) for each in fields]

    def plan(self, raw: bytes) -> Operation | None:
        """Return the operation; None where there is nothing to find a document by."""
        found = [(name, field(raw, path)) for name, path in self._paths]
        if all(element == NULL for _, element in found):
            return (
                None
                if self._mode == options.DELETE
                else Operation(options.INSERT, self._with_id(raw))
            )
        query = _document([bytes((kind,)) + name + b"\0" + value for name, (kind, value) in found])
        if self._mode == options.DELETE:
            parts = [b"\x03q\0", query, b"\x10limit\0\1\0\0\0"]
            return Operation(options.DELETE, _document(parts))
        change = raw if self._mode == options.UPSERT else _document([b"\x03$set\0", raw])
        parts = [b"\x03q\0", query, b"\x03u\0", change, b"\x08upsert\0\1"]
        return Operation(UPDATE, _document(parts))

    def _with_id(self, raw: bytes) -> bytes:
        if any(name == b"_id" for name, _ in elements(raw)):
            return raw
        return pack_int32(len(raw) + 17) + b"\x07_id\0" + self._ids.next() + raw[4:]
