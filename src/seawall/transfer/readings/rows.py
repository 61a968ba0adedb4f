"""Bytes of CSV, TSV and JSON to rows that know where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from seawall.transfer import options
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.options import InputOptions
from seawall.transfer.readers.delimited import CsvScanner, RowScanner, TsvScanner
from seawall.transfer.readers.json import JsonReader
from seawall.transfer.readings.mapping import Row
from seawall.transfer.readings.units import Cell

FEW_LINES: Final = 32
"""A quote that is open for more lines than this has them read together,"""
MOST_LINES: Final = 1 << 16
"""up to so many."""
_JSON_DATES: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    tz_aware=True,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    # Bytes that are no UTF-8 come as they are; they are nobody's number or time.
    unicode_decode_error_handler="replace",
)

BadRow = Callable[[str, str], None]


class Table:
    """The rows of all inputs, one after the other.

    Args:
        inputs: Chunks of bytes of each input.
        asked: What the options say about the input.
        names: Columns of a table that has no header line.
        bad_row: Is told each record that cannot be read, and why; None ends at the first.

    Attributes:
        columns: Of the input that is read, known once its first row is.
    """

    def __init__(
        self,
        inputs: Iterable[Iterator[bytes]],
        asked: InputOptions,
        names: Sequence[str] | None = None,
        bad_row: BadRow | None = None,
    ) -> None:
        self._inputs, self._asked, self._names = inputs, asked, names
        self._bad_row = bad_row
        self.columns: list[str] = []

    def rows(self) -> Iterator[Row]:
        """Yield the rows.

        Raises:
            TransferFailedError: Something cannot be read; all rows before it were yielded.
        """
        for number, chunks in enumerate(self._inputs, start=1):
            prefix = f"file {number}, " if len(self._asked.files) > 1 else ""
            if self._asked.type == options.JSON:
                yield from self._documents(chunks, prefix)
            else:
                yield from self._records(chunks, prefix)

    # JSON

    def _documents(self, chunks: Iterable[bytes], prefix: str) -> Iterator[Row]:
        def bad(raw: bytes, why: str) -> None:
            assert self._bad_row is not None  # noqa: S101  else nobody is told
            self._bad_row(raw.decode("utf-8", "replace"), why)

        reader = JsonReader(
            array=self._asked.json_array,
            legacy=self._asked.legacy,
            bad_document=None if self._bad_row is None else bad,
        )
        number = 0
        seen = dict.fromkeys(self.columns)
        for block in reader.blocks(chunks):
            for raw in block.raw():
                number += 1
                cells = dict(_flat(bson.decode(raw, _JSON_DATES), ""))
                if cells.keys() - seen.keys():
                    seen |= dict.fromkeys(cells)
                    self.columns = list(seen)
                yield Row(f"{prefix}document {number}", cells)

    # CSV and TSV

    def _records(self, chunks: Iterable[bytes], prefix: str) -> Iterator[Row]:
        asked = self._asked
        scanner: RowScanner = TsvScanner()
        if asked.type == options.CSV:
            scanner = CsvScanner(asked.delimiter, asked.quote, self._bad_row)
        records = _placed(scanner, chunks)
        columns = self._header(records)
        self.columns = columns
        for line, cells in records:
            surplus = " ".join(cells[len(columns) :]).strip()
            row = dict(zip(columns, cells, strict=False))
            yield Row(f"{prefix}line {line}", row, surplus)

    def _header(self, records: Iterator[tuple[int, list[str]]]) -> list[str]:
        if self._names is not None:
            columns = list(self._names)
        else:
            first = next(records, None)
            if first is None:
                raise TransferFailedError("EOF", hint="the input is empty: there is no header line")
            columns = first[1]
            while columns and not columns[-1]:
                columns.pop()
        double = next((each for each in columns if columns.count(each) > 1), None)
        if double is not None:
            raise TransferFailedError(f"two columns are called {double[:40]!r}")
        return columns


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Cell]]:
    """Yield what documents in a document hold under dotted names."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _placed(scanner: RowScanner, chunks: Iterable[bytes]) -> Iterator[tuple[int, list[str]]]:
    """Yield records, each with the number of its first line.

    A scanner does not tell lines, so it is fed line by line; while a quote is
    open for long, by more and more of them, as it begins anew each time.
    """
    line, fed, together, unfinished = 1, 0, 1, 0
    waiting: list[bytes] = []
    for piece in chain(_lines(chunks), (None,)):
        waiting += [] if piece is None else [piece]
        if piece is not None and len(waiting) < together:
            continue
        rows = scanner.feed(b"".join(waiting), final=piece is None)
        fed += len(waiting)
        for row in rows:
            yield line, row
            line += 1 + sum(cell.count("\n") for cell in row)
        if failure := scanner.failed(header=False):
            raise failure
        is_blank = not b"".join(waiting).strip(b"\r\n")
        if together == 1 and (rows or (is_blank and line == fed)):
            line = fed + 1
        unfinished = 0 if rows or line == fed + 1 else unfinished + len(waiting)
        together = 1 if unfinished < FEW_LINES else min(2 * together, MOST_LINES)
        waiting = []


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            yield line + b"\n"
    if rest:
        yield rest
