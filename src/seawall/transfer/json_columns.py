"""Lines of JSON that all have one shape, a column at a time.

The first line gives the shape: the texts between its values. Where each line is
these texts in this order, with values between them that hold neither quote nor
backslash, the values are the cells of a table, and the table becomes documents as
that of a CSV file does. Anything else raises `IrregularError`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from seawall.transfer import cells, inference, segments
from seawall.transfer.blocks import Block, ObjectIds
from seawall.transfer.failures import IrregularError
from seawall.transfer.fixed_dates import FixedLayout
from seawall.transfer.readers.extended import FIRST_KEYS, NULL
from seawall.transfer.segments import Array, Segment, constant, numbers

BARE, TEXT, OID, MOMENT, LONG = "bare", "text", "oid", "moment", "long"
MARKS: Final = tuple(code for code in range(1, 32) if code not in b"\n\r\x1f")
"""Bytes that no line of JSON holds; each text between values gets its own."""
SEPARATOR: Final = 0x1F
TO_SEPARATOR: Final = bytes(SEPARATOR if code in MARKS else code for code in range(256))
BOM: Final = b"\xef\xbb\xbf"
NUMBER: Final = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"
WORDS: Final = pa.array(["false", "true", "null"])
LAYOUTS: Final = tuple(
    FixedLayout(f"2006-01-02T15:04:05{fraction}Z07:00") for fraction in ("", ".000")
)
_SPACE: Final = re.compile(rb"[ \t]*+")
_STRING: Final = re.compile(rb'"([^"\\\x00-\x1f]*+)"')
_BARE: Final = re.compile(rb"[-+.0-9a-zA-Z]++")
_HEX: Final = np.full(256, 255, np.uint8)
for _digit, _code in enumerate(b"0123456789abcdef"):
    _HEX[_code] = _digit
    _HEX[ord(chr(_code).upper())] = _digit
WRAPPERS: Final = {b"$oid": OID, b"$date": MOMENT, b"$numberLong": LONG}

Tree = dict[bytes, "Tree | int"]


@dataclass(frozen=True)
class Shape:
    """What the lines have in common.

    Args:
        texts: Before the first value, between values, and behind the last.
        kinds: Of the values.
        tree: Names, with the indexes of values as leaves.
    """

    texts: tuple[bytes, ...]
    kinds: tuple[str, ...]
    tree: Tree


class _ShapeReader:
    """Reads the shape of one line."""

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._at = 0
        self.kinds: list[str] = []
        self.spans: list[tuple[int, int]] = []

    def shape(self) -> Shape:
        tree = self._object(is_top=True)
        self._skip()
        if not isinstance(tree, dict) or self._at != len(self._line) or not self.kinds:
            raise IrregularError
        edges = [0, *(edge for span in self.spans for edge in span), len(self._line)]
        texts = tuple(self._line[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))
        inner = texts[1:-1]
        if len(inner) > len(MARKS) or len(set(inner)) != len(inner):
            raise IrregularError
        if any(a in b for a in inner for b in texts if a != b):
            raise IrregularError
        return Shape(texts, tuple(self.kinds), tree)

    def _skip(self) -> None:
        found = _SPACE.match(self._line, self._at)
        assert found is not None  # noqa: S101  it matches nothing as well
        self._at = found.end()

    def _expect(self, pattern: re.Pattern[bytes]) -> re.Match[bytes]:
        self._skip()
        found = pattern.match(self._line, self._at)
        if found is None:
            raise IrregularError
        self._at = found.end()
        return found

    def _take(self, character: bytes) -> bool:
        self._skip()
        there = self._line.startswith(character, self._at)
        self._at += there
        return there

    def _object(self, *, is_top: bool) -> Tree | int:
        tree: Tree = {}
        if not self._take(b"{"):
            raise IrregularError
        while True:
            name = self._expect(_STRING)[1]
            if not self._take(b":") or name in tree:
                raise IrregularError
            if not tree and not is_top and name in FIRST_KEYS:
                return self._wrapped(name)
            tree[name] = self._value()
            if self._take(b"}"):
                return tree
            if not self._take(b","):
                raise IrregularError

    def _wrapped(self, name: bytes) -> int:
        if name not in WRAPPERS:
            raise IrregularError
        index = self._text(WRAPPERS[name])
        if not self._take(b"}"):
            raise IrregularError
        return index

    def _value(self) -> Tree | int:
        self._skip()
        first = self._line[self._at : self._at + 1]
        if first == b"{":
            return self._object(is_top=False)
        if first == b'"':
            return self._text(TEXT)
        found = self._expect(_BARE)
        return self._found(BARE, found.span())

    def _text(self, kind: str) -> int:
        return self._found(kind, self._expect(_STRING).span(1))

    def _found(self, kind: str, span: tuple[int, int]) -> int:
        self.kinds.append(kind)
        self.spans.append(span)
        return len(self.kinds) - 1


class JsonColumns:
    """Makes documents of lines of one shape.

    Args:
        ids: Makes `_id` where it is missing; None leaves documents without.
    """

    def __init__(self, ids: ObjectIds | None) -> None:
        self._ids = ids

    def convert(self, piece: bytes) -> Block:
        """Return the documents of whole lines.

        Raises:
            IrregularError: Another path has to read them.
        """
        first = piece[: piece.index(b"\n")]
        if b"\\" in piece or piece[-2:-1] == b"\n" or first.count(b"{") > 64:
            raise IrregularError
        shape = _ShapeReader(first).shape()
        values = _table(piece, shape)
        rows = len(values[0])
        parts = _branch(shape, shape.tree, values, rows)
        if self._ids is not None and b"_id" not in shape.tree:
            counters = (self._ids.reserve(rows) + np.arange(rows, dtype=np.int64)) & 0xFFFFFF
            table = counters.astype(">u4").view(np.uint8).reshape(rows, 4)[:, 1:]
            parts[:0] = [constant(b"\x07_id\0" + self._ids.head), segments.Fixed(3, table=table)]
        whole = segments.joined(segments.document(parts, rows), rows)
        offsets = segments.offsets_of(whole)
        return Block(memoryview(whole.buffers()[2])[: int(offsets[-1])], offsets[1:].tolist())


def _table(piece: bytes, shape: Shape) -> list[pa.StringArray]:
    """Return the values of each line; the lines are proven to be the shape's texts and values."""
    lines = piece.count(b"\n")
    data = np.frombuffer(piece, np.uint8)
    if int((data < 32).sum()) != lines:
        raise IrregularError
    head, *inner, tail = shape.texts
    bare = piece.replace(tail + b"\n" + head, b"\n")
    if not (bare.startswith(head) and bare.endswith(tail + b"\n")):
        raise IrregularError
    bare = bare[len(head) : len(bare) - len(tail) - 1] + b"\n"
    for text, mark in zip(inner, MARKS, strict=False):
        bare = bare.replace(text, bytes((mark,)))
    # Without a quote left, every value is closed where its text says; the marks say the order.
    if b'"' in bare or bare.startswith(BOM):
        raise IrregularError
    left = np.frombuffer(bare, np.uint8)
    row = np.array([*MARKS[: len(inner)], ord("\n")], np.uint8)
    marks = left[left < 32]
    if len(marks) != lines * len(row) or not (marks.reshape(lines, len(row)) == row).all():
        raise IrregularError
    names = [str(index) for index in range(len(shape.kinds))]
    try:
        table = csv.read_csv(
            pa.BufferReader(bare.translate(TO_SEPARATOR)),
            csv.ReadOptions(use_threads=False, block_size=2**30, column_names=names),
            csv.ParseOptions(delimiter=chr(SEPARATOR), quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(
                check_utf8=True,
                strings_can_be_null=False,
                null_values=[],
                column_types=dict.fromkeys(names, pa.string()),
            ),
        )
    except pa.ArrowInvalid:
        raise IrregularError from None
    if table.num_rows != lines:
        raise IrregularError
    return [pa.concat_arrays(column.chunks) for column in table.columns]


def _branch(shape: Shape, tree: Tree, values: Sequence[pa.StringArray], rows: int) -> list[Segment]:
    parts: list[Segment] = []
    for name, child in tree.items():
        if isinstance(child, dict):
            inside = segments.document(_branch(shape, child, values, rows), rows)
            parts += [constant(bytes((cells.DOCUMENT,)) + name + b"\0"), *inside]
        else:
            parts += _column(shape.kinds[child], name, values[child])
    return parts


def _column(kind: str, name: bytes, values: pa.StringArray) -> list[Segment]:
    def header(type_byte: int) -> bytes:
        return bytes((type_byte,)) + name + b"\0"

    if kind == TEXT:
        return inference.strings(header, values)
    if kind == BARE:
        return _bare(header, values)
    if kind == OID:
        return [constant(header(cells.OBJECT_ID)), segments.Fixed(12, table=_object_ids(values))]
    if kind == MOMENT:
        for layout in LAYOUTS:
            moments = layout.milliseconds(values)
            if moments is not None:
                return [constant(header(cells.DATE)), numbers(moments.astype("<i8"))]
        raise IrregularError
    integers = _all_integers(values)
    return [constant(header(cells.INT64)), numbers(integers.astype("<i8"))]


def _all_integers(values: pa.StringArray) -> Array:
    is_integer = inference.kinds_of(values) == inference.IS_INTEGER
    integers = inference.integers_of(values) if is_integer.all() else None
    if integers is None:
        raise IrregularError
    return integers


def _object_ids(values: pa.StringArray) -> Array:
    offsets = segments.offsets_of(values)
    if not ((offsets[1:] - offsets[:-1]) == 24).all():
        raise IrregularError
    digits = _HEX[segments.bytes_of(values)[int(offsets[0]) : int(offsets[-1])]]
    if (digits > 15).any():
        raise IrregularError
    table: Array = ((digits[::2] << 4) | digits[1::2]).reshape(len(values), 12)
    return table


def _bare(header: Callable[[int], bytes], values: pa.StringArray) -> list[Segment]:
    """Return a column of numbers, truth values and nulls."""
    is_number = _is_json_number(values)
    if is_number.all():
        return inference.inferred(header, values) if _is_plain(values) else _odd()
    words = pc.index_in(values, WORDS)
    if words.null_count != int(is_number.sum()):
        raise IrregularError
    parts: list[inference.Part] = []
    for index, (type_byte, payload) in enumerate(
        ((cells.BOOL, b"\0"), (cells.BOOL, b"\1"), (NULL, b""))
    ):
        rows = np.flatnonzero(words.fill_null(-1).to_numpy(zero_copy_only=False) == index)
        if len(rows):
            parts.append((rows, type_byte, pa.array([payload] * len(rows), pa.binary())))
    rows = np.flatnonzero(is_number)
    if len(rows):
        some = values.take(pa.array(rows))
        if not _is_plain(some):
            raise IrregularError
        kinds = inference.kinds_of(some)
        for kind in (inference.IS_INTEGER, inference.IS_FLOAT):
            places = np.flatnonzero(kinds == kind)
            if len(places):
                parts += inference.parts_of(rows[places], some.take(pa.array(places)), kind)
    return inference.merged(header, parts, len(values))


def _odd() -> Any:
    raise IrregularError


def _is_json_number(values: pa.StringArray) -> Array:
    matches: Array = pc.match_substring_regex(values, NUMBER).to_numpy(zero_copy_only=False)
    return matches


def _is_plain(values: pa.StringArray) -> bool:
    """Return whether each is an integer of 64 bits for sure, or a double that fits."""
    kinds = inference.kinds_of(values)
    if not ((kinds == inference.IS_INTEGER) | (kinds == inference.IS_FLOAT)).all():
        return False
    places = np.flatnonzero(kinds == inference.IS_FLOAT)
    return not len(places) or inference.floats_of(values.take(pa.array(places))) is not None
