"""Many rows of CSV or TSV to documents at once, where they are regular.

Regular is a piece of whole lines in which every row has all cells, quotes stand
where they belong, and nothing is trimmed that quotes protect. For everything else
this raises `IrregularError`, and the exact path (`readers.delimited`, `convert`)
decides. Tests prove both equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from seawall.transfer import cells, columns, inference, segments
from seawall.transfer.blocks import Block, ObjectIds
from seawall.transfer.columns import Branch, Column
from seawall.transfer.failures import IrregularError
from seawall.transfer.fixed_dates import FixedLayout
from seawall.transfer.readers.delimited import WHITE_CHARACTERS
from seawall.transfer.segments import Array, Segment, constant, numbers

ID: Final = "_id"
BOM: Final = b"\xef\xbb\xbf"
LINE: Final = ord("\n")
ASCII_WHITE: Final = np.isin(np.arange(256), np.frombuffer(b"\t\v\f\r ", np.uint8))
MAYBE_WHITE: Final = ASCII_WHITE | (np.arange(256) >= 0x80)
BOOLEANS: Final = pa.array(["0", "1", "false", "true", "False", "True", "FALSE", "TRUE"])

Header = Callable[[int], bytes]


class ColumnarConverter:
    """Makes documents of regular pieces.

    Args:
        columns_: The columns.
        ids: Makes `_id`; None leaves documents without.
        ignore_blanks: Leave out empty cells.
        delimiter: Between cells.
        quote: Around cells; empty for none.
        trims: Whether white space around cells goes (CSV), or stays (TSV).
    """

    def __init__(
        self,
        columns_: Sequence[Column],
        *,
        array_indexes: bool = False,
        ids: ObjectIds | None = None,
        ignore_blanks: bool = False,
        delimiter: str = ",",
        quote: str = '"',
        trims: bool = True,
    ) -> None:
        names = [each.name for each in columns_]
        self._columns = columns_
        self._tree = columns.tree_of(names, array_indexes=array_indexes)
        self._has_id = ID in self._tree.children
        self._ids = ids
        self._ignore_blanks = ignore_blanks
        self._delimiter, self._quote, self._trims = delimiter.encode(), quote.encode(), trims
        self._white = WHITE_CHARACTERS.replace(delimiter, "")
        self._dates = [FixedLayout(each.argument) for each in columns_]
        is_nested = any(isinstance(each, Branch) for each in self._tree.children.values())
        self.is_able = not (ignore_blanks and (is_nested or self._has_id))
        self.is_able &= not any("\0" in name for name in names)
        self._read = csv.ReadOptions(
            use_threads=False,
            block_size=2**30,
            column_names=[str(index) for index in range(len(columns_))],
        )
        self._parse = csv.ParseOptions(
            delimiter=delimiter,
            quote_char=quote or False,
            double_quote=bool(quote),
            newlines_in_values=bool(quote),
            ignore_empty_lines=trims,
        )
        self._convert = csv.ConvertOptions(
            check_utf8=True,
            strings_can_be_null=False,
            null_values=[],
            column_types=dict.fromkeys(self._read.column_names, pa.string()),
        )

    def convert(self, piece: bytes) -> Block:
        """Return the documents of whole lines.

        Raises:
            IrregularError: The exact path has to read them.
        """
        values = self._cells(piece)
        rows = len(values[0])
        parts = self._branch(self._tree, values, rows)
        if self._ids is not None and not self._has_id:
            parts[:0] = self._new_ids(rows)
        whole = segments.joined(segments.document(parts, rows), rows)
        offsets = segments.offsets_of(whole)
        return Block(memoryview(whole.buffers()[2])[: int(offsets[-1])], offsets[1:].tolist())

    def _new_ids(self, rows: int) -> list[Segment]:
        assert self._ids is not None  # noqa: S101  the caller looked
        counters = (self._ids.reserve(rows) + np.arange(rows, dtype=np.int64)) & 0xFFFFFF
        table = counters.astype(">u4").view(np.uint8).reshape(rows, 4)[:, 1:]
        return [constant(b"\x07_id\0" + self._ids.head), segments.Fixed(3, table=table)]

    # Cells

    def _cells(self, piece: bytes) -> list[pa.StringArray]:
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n")
        if b"\r" in piece or b"\0" in piece or not piece.strip(b"\n"):
            raise IrregularError
        if piece.startswith(BOM):  # Arrow drops it, and only the input as a whole may begin so
            raise IrregularError
        if not self._trims and (piece[:1] == b"\n" or b"\n\n" in piece):
            raise IrregularError  # an empty line of TSV is a row of one cell
        has_quotes = bool(self._quote) and self._quote in piece
        if has_quotes:
            self._check_quotes(np.frombuffer(piece, np.uint8))
        try:
            table = csv.read_csv(pa.BufferReader(piece), self._read, self._parse, self._convert)
        except pa.ArrowInvalid:
            raise IrregularError from None
        values = [_whole(column) for column in table.columns]
        if self._trims:
            values = [self._trimmed(each, has_quotes) for each in values]
        return values

    def _check_quotes(self, data: Array) -> None:
        """Every quote opens at the start of a cell, closes at its end, or is doubled inside."""
        mark, stop = self._quote[0], self._delimiter[0]
        places = np.flatnonzero(data == mark)
        if len(places) % 2:
            raise IrregularError
        opening, closing = places[::2], places[1::2]
        before = data[opening - 1]
        after = data[np.minimum(closing + 1, len(data) - 1)]
        opens = (before == stop) | (before == LINE) | (opening == 0)
        closes = (after == stop) | (after == LINE) | (closing == len(data) - 1)
        # A closing quote right before an opening one is a doubled quote inside a cell.
        doubled = np.zeros(len(opening) + 1, bool)
        doubled[1:-1] = opening[1:] == closing[:-1] + 1
        if not ((opens | doubled[:-1]) & (closes | doubled[1:])).all():
            raise IrregularError

    def _trimmed(self, values: pa.StringArray, has_quotes: bool) -> pa.StringArray:
        offsets = segments.offsets_of(values)
        filled = offsets[1:] > offsets[:-1]
        data = segments.bytes_of(values)
        firsts, lasts = data[offsets[:-1][filled]], data[offsets[1:][filled] - 1]
        if not (MAYBE_WHITE[firsts] | MAYBE_WHITE[lasts]).any():
            return values
        trimmed = pc.utf8_trim(values, characters=self._white)
        if trimmed.equals(values):
            return values
        if has_quotes:
            raise IrregularError
        return trimmed

    # Documents

    def _branch(self, tree: Branch, values: Sequence[pa.StringArray], rows: int) -> list[Segment]:
        parts: list[Segment] = []
        for step, child in tree.children.items():
            name = cells.encoded(str(step)) + b"\0"
            if isinstance(child, Branch):
                kind = cells.ARRAY if child.is_array else cells.DOCUMENT
                inside = segments.document(self._branch(child, values, rows), rows)
                parts += [constant(bytes((kind,)) + name), *inside]
            else:
                parts += self._column(child, name, values[child], rows)
        return parts

    def _column(self, index: int, name: bytes, values: pa.StringArray, rows: int) -> list[Segment]:
        def header(kind: int) -> bytes:
            return bytes((kind,)) + name

        if self._ignore_blanks:
            offsets = segments.offsets_of(values)
            filled = np.flatnonzero(offsets[1:] > offsets[:-1])
            if len(filled) < rows:
                there = values.take(pa.array(filled))
                if not len(filled):
                    return []
                return [inference.spread(self._typed(index, header, there), filled, rows)]
        return self._typed(index, header, values)

    def _typed(self, index: int, header: Header, values: pa.StringArray) -> list[Segment]:
        column = self._columns[index]
        if column.kind == columns.AUTO:
            return inference.inferred(header, values)
        if column.kind == columns.STRING:
            return inference.strings(header, values)
        found = self._fast(index, header, values)
        if found is not None:
            return found
        try:
            return inference.one_by_one(header, values, column.parse)
        except cells.MisfitError:
            raise IrregularError from None

    def _fast(self, index: int, header: Header, values: pa.StringArray) -> list[Segment] | None:
        kind = self._columns[index].kind
        if kind in {columns.INT32, columns.INT64, columns.DOUBLE}:
            return _numeric(kind, header, values)
        if kind == columns.BOOLEAN:
            found = pc.index_in(values, BOOLEANS)
            if found.null_count:
                return None
            truths = (found.to_numpy(zero_copy_only=False) & 1).astype(np.uint8)
            return [constant(header(cells.BOOL)), numbers(truths)]
        if kind in columns.TRANSLATORS:
            moments = self._dates[index].milliseconds(values)
            if moments is not None:
                return [constant(header(cells.DATE)), numbers(moments.astype("<i8"))]
        return None


def _numeric(kind: str, header: Header, values: pa.StringArray) -> list[Segment] | None:
    kinds = inference.kinds_of(values)
    if kind == columns.DOUBLE:
        if not ((kinds == inference.IS_FLOAT) | (kinds == inference.IS_INTEGER)).all():
            return None
        floats = inference.floats_of(values)
        return None if floats is None else inference.doubles(header, floats)
    integers = inference.integers_of(values) if (kinds == inference.IS_INTEGER).all() else None
    if integers is None:
        return None
    if kind == columns.INT64:
        return [constant(header(cells.INT64)), numbers(integers.astype("<i8"))]
    if not inference.fits_int32(integers).all():
        return None
    return [constant(header(cells.INT32)), numbers(integers.astype("<i4"))]


def _whole(column: Any) -> pa.StringArray:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
