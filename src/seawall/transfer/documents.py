"""From options to documents: picks the reader, and runs the fast path where it can."""

from __future__ import annotations

import importlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from seawall.transfer import options
from seawall.transfer.blocks import Block, ObjectIds, block_of
from seawall.transfer.columns import Column, columns_of, split_fields
from seawall.transfer.convert import RowConverter
from seawall.transfer.failures import IrregularError, TransferFailedError
from seawall.transfer.options import InputOptions
from seawall.transfer.readers.delimited import CsvScanner, Row, TsvScanner, csv_text
from seawall.transfer.readers.json import JsonReader
from seawall.transfer.sources import names_of_file

SMALLEST_PIECE_BYTES: Final = 32 * 1024
"""Less than this goes to the exact path: the fast one would gain nothing."""
FAST_FROM_BYTES: Final = 256 * 1024
"""Less input than this in all does not pay for loading the fast path."""
ROWS_IN_BLOCK: Final = 1000

Told = Callable[[str], None]


class Skipped:
    """Counts what was left out, and passes on why.

    Args:
        log: Is told of each row that `--parseGrace skipRow` drops.
        raw: Is given each such row as it was.
        bad: Is given each record that cannot be read, and why; None ends at the first.
    """

    def __init__(self, log: Told, raw: Told, bad: Callable[[str, str], None] | None = None) -> None:
        self.rows = 0
        self.bad_rows = 0
        self._log, self._raw, self._bad = log, raw, bad

    @property
    def keeps_going(self) -> bool:
        """Whether records that cannot be read are left out."""
        return self._bad is not None

    def row(self, number: int, text: str, row: Sequence[str]) -> None:
        """Take a row that does not fit its types."""
        self.rows += 1
        self._log(f"skipping row #{number}: [{' '.join(row)}]")
        self._raw(text)

    def tell(self, text: str) -> None:
        """Say something about the input as a whole."""
        self._log(text)

    def bad(self, text: str, why: str) -> None:
        """Take a record that cannot be read."""
        assert self._bad is not None  # noqa: S101  `keeps_going` was asked
        self.bad_rows += 1
        self._bad(text, why)


def new_ids() -> ObjectIds:
    """Return a maker of object ids of this process and moment."""
    return ObjectIds(int(time.time()), os.urandom(5), int.from_bytes(os.urandom(3), "big"))


def header_of(asked: InputOptions) -> list[Column] | None:
    """Return the columns that options name; None if the header is in the input.

    Raises:
        TransferFailedError: The file of names cannot be read, or a name or type is wrong.
    """
    if asked.headerline:
        return None
    if asked.field_file is not None:
        names = names_of_file(asked.field_file)
    else:
        names = split_fields(asked.fields or "")
    return columns_named(names, asked)


def columns_named(names: Sequence[str], asked: InputOptions) -> list[Column]:
    """Return the columns of a header, of a file or of `--fields`.

    Raises:
        TransferFailedError: A type or a name is wrong.
    """
    return columns_of(
        names,
        have_types=asked.columns_have_types,
        array_indexes=asked.use_array_index_fields,
        strings=asked.string_columns,
    )


class Documents:
    """The documents of one input after the other.

    Args:
        asked: What the options say about the input.
        ids: Makes `_id` where it is missing; None leaves documents without.
        skipped: Takes what is left out.
    """

    def __init__(self, asked: InputOptions, ids: ObjectIds | None, skipped: Skipped) -> None:
        self._asked, self._ids, self._skipped = asked, ids, skipped
        self._is_json = asked.type == options.JSON
        self.columns = None if self._is_json else header_of(asked)

    def start(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        """Return the documents of one input; its header is read now, the rest as it is needed.

        Raises:
            TransferFailedError: The header is missing or wrong.
        """
        if self._is_json:
            return self._json(chunks)
        asked = self._asked
        scanner: Any = TsvScanner()
        if asked.type == options.CSV:
            bad = self._skipped.bad if self._skipped.keeps_going else None
            scanner = CsvScanner(asked.delimiter, asked.quote, bad)
        rows: list[Row] = []
        columns = self.columns
        if columns is None:
            columns, rows = self._header(scanner, chunks)
        return _Delimited(asked, columns, self._ids, self._skipped, scanner).blocks(rows, chunks)

    def _header(self, scanner: Any, chunks: Iterator[bytes]) -> tuple[list[Column], list[Row]]:
        rows: list[Row] = []
        scanner.headers = 1
        final = False
        while not rows and not final:
            chunk = next(chunks, None)
            final = chunk is None
            rows = scanner.feed(chunk or b"", final=final)
            if failure := scanner.failed(header=True) if not rows else None:
                raise failure
        if not rows:
            raise TransferFailedError("EOF", hint="the input is empty: there is no header line")
        return columns_named(rows[0], self._asked), rows[1:]

    def _json(self, chunks: Iterator[bytes]) -> Iterator[Block]:
        def bad(raw: bytes, why: str) -> None:
            self._skipped.bad(raw.decode("utf-8", "replace"), why)

        reader = JsonReader(
            ids=self._ids,
            array=self._asked.json_array,
            legacy=self._asked.legacy,
            bad_document=bad if self._skipped.keeps_going else None,
        )
        return reader.blocks(chunks)


class _Delimited:
    """Documents of one CSV or TSV input whose columns are known."""

    def __init__(
        self,
        asked: InputOptions,
        columns: Sequence[Column],
        ids: ObjectIds | None,
        skipped: Skipped,
        scanner: Any,
    ) -> None:
        self._asked, self._columns, self._ids = asked, columns, ids
        self._skipped, self._scanner = skipped, scanner
        self._is_csv = asked.type == options.CSV
        self._fast: Any = None
        self._exact = RowConverter(
            columns,
            grace=asked.parse_grace,
            ignore_blanks=asked.ignore_blanks,
            ids=ids,
            skipped=self._skip,
        )

    def _skip(self, number: int, row: Sequence[str]) -> None:
        text = csv_text(row) if self._is_csv else "\t".join(row) + "\n\n"
        self._skipped.row(number, text, row)

    def blocks(self, rows: Sequence[Row], chunks: Iterable[bytes]) -> Iterator[Block]:
        yield from self._converted(rows)
        yield from self._failed()
        pending = self._scanner.rest()
        seen = 0
        for chunk in chunks:
            pending += chunk
            seen += len(chunk)
            end = self._cut(pending)
            piece, pending = pending[:end], pending[end:]
            if piece:
                for block, unread in self._piece(piece, seen >= FAST_FROM_BYTES):
                    pending = unread + pending
                    if block is not None:
                        yield block
                yield from self._failed()
        yield from self._converted(self._scanner.feed(pending, final=True))
        if line := self._scanner.replaced_line:
            self._skipped.tell(
                f"WARNING: from line {line} on there are bytes that are no UTF-8; each became "
                "U+FFFD. Of what encoding is the file? iconv -f WINDOWS-1252 -t UTF-8 converts it"
            )
        yield from self._failed()

    def _failed(self) -> Iterator[Block]:
        if failure := self._scanner.failed():
            raise failure
        return
        yield

    def _cut(self, pending: bytes) -> int:
        """Return the end of the last whole line that is not inside quotes."""
        end = pending.rfind(b"\n") + 1
        quote = self._asked.quote.encode() if self._is_csv else b""
        if not quote or not end:
            return end
        open_quote = pending.count(quote, 0, end) % 2
        while open_quote and end:
            before = pending.rfind(b"\n", 0, end - 1) + 1
            open_quote ^= pending.count(quote, before, end) % 2
            end = before
        return end

    def _piece(self, piece: bytes, may_be_fast: bool) -> Iterator[tuple[Block | None, bytes]]:
        """Yield the documents of whole lines, and what of the piece was not read."""
        if may_be_fast and len(piece) >= SMALLEST_PIECE_BYTES and self._load_fast():
            try:
                block = self._fast.convert(piece)
            except IrregularError:
                half = self._cut(piece[: len(piece) // 2])
                if len(piece) >= 2 * SMALLEST_PIECE_BYTES and half:
                    rest = piece[half:]
                    for found, unread in self._piece(piece[:half], True):
                        rest = unread + rest
                        yield found, b""
                    if self._scanner.failed() is None:
                        yield from self._piece(rest, True)
                    return
            else:
                self._exact.rows += len(block)
                self._scanner.skip(len(block), piece.count(b"\n"))
                yield block, b""
                return
        rows = self._scanner.feed(piece, final=False)
        for found in self._converted(rows):
            yield found, b""
        if self._scanner.failed() is None:
            yield None, self._scanner.rest()

    def _load_fast(self) -> bool:
        if self._fast is None:
            self._fast = _columnar(self._asked, self._columns, self._ids)
        return bool(self._fast)

    def _converted(self, rows: Sequence[Row]) -> Iterator[Block]:
        document = self._exact.document
        remaining = iter(rows)
        while batch := list(itertools.islice(remaining, ROWS_IN_BLOCK)):
            found = []
            try:
                for row in batch:
                    raw = document(row)
                    if raw is not None:
                        found.append(raw)
            except TransferFailedError:
                # Everything before the bad row is written, and counted.
                if found:
                    yield block_of(found)
                raise
            if found:
                yield block_of(found)


def _columnar(asked: InputOptions, columns: Sequence[Column], ids: ObjectIds | None) -> Any:
    """Return the fast converter; False if these columns, or this machine, have none."""
    try:
        # pyarrow takes longer to load than a small file to import, and not every machine has it.
        columnar = importlib.import_module("seawall.transfer.columnar")
    except ImportError:  # pragma: no cover  a platform without pyarrow
        return False
    is_csv = asked.type == options.CSV
    converter = columnar.ColumnarConverter(
        columns,
        array_indexes=asked.use_array_index_fields,
        ids=ids,
        ignore_blanks=asked.ignore_blanks,
        delimiter=asked.delimiter if is_csv else "\t",
        quote=asked.quote if is_csv else "",
        trims=is_csv,
    )
    return converter if converter.is_able else False
