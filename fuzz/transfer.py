"""Fuzz the parsers of import and export: python -m fuzz.transfer [--seed S] [TARGET ...]

Samples are damaged at random and fed whole and in pieces. Whatever comes, a
target must raise nothing but the errors that people are shown, must not depend
on how its input was cut, and a fast path must give the bytes of the exact one
or leave the input to it. A failure prints the seed that repeats it. The targets
take bytes, so any other fuzzer can drive them as well; choices (typed or not,
where to cut) are made by a checksum of the bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

import bson
import pyarrow as pa
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import InvalidBSON
from fuzz import transfer_samples as samples
from fuzz.damage import damaged

from seawall.cli import export_flags, import_flags
from seawall.errors import SeawallError
from seawall.transfer import cells, documents, layouts
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.columnar import ColumnarConverter
from seawall.transfer.columns import Column, columns_of, names_in, split_fields
from seawall.transfer.concern import concern_of
from seawall.transfer.convert import RowConverter, document_bytes, element_bytes
from seawall.transfer.export import query
from seawall.transfer.export.cells import Row as CellRow
from seawall.transfer.export.extended import ExtendedJson, indented
from seawall.transfer.failures import IrregularError, TransferFailedError
from seawall.transfer.fixed_dates import FixedLayout
from seawall.transfer.json_columns import JsonColumns
from seawall.transfer.layout_elements import LayoutMismatchError
from seawall.transfer.options import (
    GRACES,
    AuthOptions,
    ConnectionOptions,
    InputOptions,
    TlsOptions,
)
from seawall.transfer.readers import json as json_reader
from seawall.transfer.readers.delimited import CsvScanner, TsvScanner
from seawall.transfer.readers.json_fast import documents_of_lines
from seawall.transfer.readings import zones
from seawall.transfer.readings.failures import CellError
from seawall.transfer.readings.mapping import Row, Wanted, understand
from seawall.transfer.readings.metrics import metric_of
from seawall.transfer.readings.rows import Table
from seawall.transfer.readings.times import guess_format, time_format
from seawall.transfer.server_uri import address_of

ANY_DATE: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
FEW = 200
"""Cells and rows that are looked at in one input."""
TYPES = (
    *("int32()", "int64()", "double()", "decimal()", "boolean()", "string()", "auto()"),
    *("binary(hex)", "binary(base32)", "binary(base64)", "date(2006-01-02)"),
    *("date_ms(yyyy-MM-dd)", "date_oracle(YYYY-MM-DD)", "date(2006-01-02T15:04:05Z07:00)"),
)


class Read(NamedTuple):
    """What came of an input: documents without the ids that were made, and the error."""

    documents: list[bytes]
    left_out: list[str]
    error: str


def ids() -> ObjectIds:
    return ObjectIds(1, b"fives", 0xFFFFF0)


MADE = b"\x07_id\0" + ids().head


def bare(raw: bytes) -> bytes:
    """Leave out the counter of a made id: a path that gave up has used some."""
    return raw[:18] + raw[21:] if raw[4:18] == MADE else raw


def choice(data: bytes) -> random.Random:
    return random.Random(zlib.crc32(data))


def pieces(data: bytes, source: random.Random) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = start + source.choice((1, 3, 7, 30, 200, 5000))
        yield data[start:end]
        start = end


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def must(condition: bool, what: str, *shown: object) -> None:
    if not condition:
        raise AssertionError(f"{what}: {shown!r}"[:2000])


# Tables


def delimited(data: bytes) -> None:
    """Read rows at once and in pieces, and with bad rows left out: the same."""
    source = choice(data)
    mark = {"delimiter": source.choice(",,,;\t"), "quote": source.choice(('"', '"', "'", ""))}
    for make in (lambda bad: CsvScanner(**mark, bad_row=bad), lambda _bad: TsvScanner()):
        for keeps in (False, True):
            whole = _rows(make, [data], keeps)
            cut = _rows(make, pieces(data, source), keeps)
            must(whole == cut, "the cut changes the rows", mark, keeps, whole, cut)


def _rows(make: Any, chunks: Any, keeps: bool) -> Any:
    left_out: list[tuple[str, str]] = []
    scanner = make((lambda text, why: left_out.append((text, why))) if keeps else None)
    rows: list[list[str]] = []
    for chunk in chunks:
        rows += scanner.feed(chunk, final=False)
    rows += scanner.feed(b"", final=True)
    failure = scanner.failed()
    return rows, left_out, failure.message if failure else ""


def columns(data: bytes) -> None:
    """Make documents of rows by columns: the bytes of the exact path, or none."""
    source = choice(data)
    typed = source.random() < 0.6
    tsv, blanks = source.random() < 0.25, source.random() < 0.3
    first = text_of(data.lstrip(b"\n").partition(b"\n")[0]).split("\t" if tsv else ",")
    names = source.choice(
        (["a", "b", "c", "d", "e"], ["a.b", "a.c", "b", "a.d"], ["a", "_id", "b"])
    )
    names = names[: len(first) or 1]
    if typed:
        names = [f"{a}.{_fitting(b, source)}" for a, b in zip(names, first, strict=False)]
    more: dict[str, Any] = {"delimiter": "\t", "quote": "", "trims": False} if tsv else {}
    found = columns_of(names, have_types=typed)
    fast = ColumnarConverter(found, ids=ids(), ignore_blanks=blanks, **more)
    if not fast.is_able:
        return
    data += b"\n"
    try:
        got = list(map(bare, fast.convert(data).raw()))
    except IrregularError:
        return
    scanner: Any = TsvScanner() if tsv else CsvScanner()
    exact = RowConverter(found, ids=ids(), ignore_blanks=blanks)
    rows = scanner.feed(data, final=True)
    must(scanner.failed() is None, "the fast path reads what cannot be read", names)
    expected = [bare(exact.document(row) or b"") for row in rows]
    must(got == expected, "fast and exact path differ", names, blanks, tsv, got, expected)


def _fitting(cell: str, source: random.Random) -> str:
    """Return a type that a cell is of, mostly."""
    kind = source.choice(TYPES)
    for _ in range(source.randrange(9)):
        with contextlib.suppress(cells.MisfitError):
            _COLUMNS[kind].parse(cell)
            break
        kind = source.choice(TYPES)
    return kind


def tables(data: bytes) -> None:
    """Import CSV and TSV, by both paths and by the exact one: the same documents and error."""
    source = choice(data)
    header = source.random() < 0.5
    typed = source.random() < 0.3
    fields = f"a.{source.choice(TYPES)},b.{source.choice(TYPES)}" if typed else "a,b"
    asked = InputOptions(
        type=source.choice(("csv", "csv", "tsv")),
        headerline=header,
        fields=None if header else fields,
        columns_have_types=typed,
        parse_grace=source.choice(GRACES),
        ignore_blanks=source.random() < 0.3,
        use_array_index_fields=source.random() < 0.2,
        skip_bad_rows="" if source.random() < 0.3 else None,
    )
    mixed = _imported(asked, pieces(data, source), fast=True)
    exact = _imported(asked, [data], fast=False)
    same(mixed, exact, asked)


def same(mixed: Read, exact: Read, *asked: object) -> None:
    """Compare; behind an error nobody promises how much more was looked at, nor in which order."""
    same_rows = bool(exact.error) or sorted(mixed.left_out) == sorted(exact.left_out)
    same_rest = mixed._replace(left_out=[]) == exact._replace(left_out=[])
    must(same_rows and same_rest, "fast and exact path differ", asked, mixed, exact)


def _imported(asked: InputOptions, chunks: Any, *, fast: bool) -> Read:
    left_out: list[str] = []
    bad = None if asked.skip_bad_rows is None else lambda text, why: left_out.append(text + why)
    skipped = documents.Skipped(left_out.append, left_out.append, bad)
    skipped.tell = lambda _text: None  # type: ignore[method-assign]
    found: list[bytes] = []
    with _fast_from(0 if fast else 1 << 60):
        try:
            for block in documents.Documents(asked, ids(), skipped).start(iter(chunks)):
                found += map(bare, block.raw())
        except TransferFailedError as error:
            return Read(found, left_out, error.message)
    return Read(found, left_out, "")


@contextlib.contextmanager
def _fast_from(size: int) -> Iterator[None]:
    """Let the fast path begin with so many bytes."""
    before = documents.FAST_FROM_BYTES, documents.SMALLEST_PIECE_BYTES
    documents.FAST_FROM_BYTES = documents.SMALLEST_PIECE_BYTES = size  # type: ignore[misc]
    json_before, json_reader.FAST_FROM_BYTES = json_reader.FAST_FROM_BYTES, size  # type: ignore[misc]
    try:
        yield
    finally:
        documents.FAST_FROM_BYTES, documents.SMALLEST_PIECE_BYTES = before  # type: ignore[misc]
        json_reader.FAST_FROM_BYTES = json_before  # type: ignore[misc]


def typed_cells(data: bytes) -> None:
    """Read cells as every type: a value, or a misfit; values are BSON."""
    for text in text_of(data).split("\n", FEW)[:FEW]:
        for kind in TYPES:
            column = _COLUMNS[kind]
            try:
                element = column.parse(text)
            except cells.MisfitError:
                continue
            must(column.kind != "auto" or bool(element), "a guess fails", text)
            check_bson(document_bytes(element_bytes("a", element)))


_COLUMNS: dict[str, Column] = {
    each: columns_of([f"a.{each}"], have_types=True)[0] for each in TYPES
}


def check_bson(raw: bytes) -> None:
    """Be sure that a driver can read a document; text may hold bytes that are no UTF-8."""
    try:
        bson.decode(raw, ANY_DATE)
    except InvalidBSON as error:
        must("utf-8" in str(error) or "utf8" in str(error), "no BSON", error, raw)


def header(data: bytes) -> None:
    """Read names of columns from a line, a file and `--fields`; make a document of them."""
    source = choice(data)
    typed, arrays = source.random() < 0.5, source.random() < 0.5
    text = text_of(data)
    asked = InputOptions(type="csv", columns_have_types=typed, use_array_index_fields=arrays)
    for names in (split_fields(text), text.split("\n"), names_in(data)):
        with contextlib.suppress(SeawallError):
            found = documents.columns_named(names[:FEW], asked)
            converter = RowConverter(found, grace=source.choice(GRACES), ids=ids())
            for row in (["1"] * len(found), ["", "x", "2020-01-02"], ["1"] * (len(found) + 2)):
                check_bson(converter.document(row) or bson.encode({}))


def dates(data: bytes) -> None:
    """Read dates by a layout of each manner; those of one width by columns as well."""
    first, *texts = text_of(data).split("|")
    for layout in (first, layouts.from_microsoft(first), layouts.from_oracle(first)):
        exact = [_moment(layout, text) for text in texts[:FEW]]
        fast = FixedLayout(layout)
        for text, expected in zip(texts, exact, strict=False):
            with contextlib.suppress(UnicodeEncodeError):
                moments = fast.milliseconds(pa.array([text], pa.string()))
                must(moments is None or moments[0] == expected, "dates differ", layout, text)


def _moment(layout: str, text: str) -> int | None:
    try:
        return layouts.Layout(layout).milliseconds(text)
    except LayoutMismatchError:
        return None


# JSON


class ExactReader(json_reader.JsonReader):
    """Reads every document by the exact parser."""

    def _lines(self) -> Iterator[Any]:
        return iter(())

    def _scanned(self, _text: str | None, _place: int) -> tuple[bytes | None, int]:
        return None, -1


def json(data: bytes) -> None:
    """Import JSON in each form: in pieces by all paths, at once by the exact one, the same."""
    source = choice(data)
    for form in ({}, {"array": True}, {"legacy": True}):
        for keeps in (False, True):
            mixed = _documents(json_reader.JsonReader, pieces(data, source), form, keeps)
            exact = _documents(ExactReader, [data], form, keeps)
            same(mixed, exact, form, keeps)


def _documents(
    reader: Any, chunks: Any, form: dict[str, bool], keeps: bool, made: Any = ids
) -> Read:
    left_out: list[str] = []
    bad = (lambda raw, why: left_out.append(f"{raw!r} {why}")) if keeps else None
    found: list[bytes] = []
    with _fast_from(0):
        try:
            reading = reader(ids=made and made(), bad_document=bad, **form)
            for block in reading.blocks(chunks):
                found += map(bare, block.raw())
        except TransferFailedError as error:
            return Read(found, left_out, error.message)
    return Read(found, left_out, "")


def json_lines(data: bytes) -> None:
    """Read lines by the two fast paths: the bytes of the exact one, or none."""
    data += b"\n"
    if choice(data).random() < 0.5:
        data = data[: data.index(b"\n") + 1] * 2
    expected: Read | None = None
    for read in (lambda: documents_of_lines(data, ids()), lambda: JsonColumns(ids()).convert(data)):
        try:
            got = list(map(bare, read().raw()))
        except IrregularError:
            continue
        expected = expected or _documents(ExactReader, [data], {}, False)
        must((got, "") == (expected.documents, expected.error), "paths differ", got, expected)


def there_and_back(data: bytes) -> None:
    """What can be imported is exported, and imported again: the same document."""
    for raw in _documents(ExactReader, [data], {}, True, made=None).documents:
        check_bson(raw)
        text = ExtendedJson(canonical=True).text(raw)
        CellRow(["a", "a.b", "a.0", "_id"]).cells(raw)
        if "\\ufffd" in text or "\ufffd" in text:
            continue
        for form in (text, indented(text)):
            again = _documents(json_reader.JsonReader, [form.encode()], {}, False, made=None)
            deep = "nesting too deep" in again.error
            must(deep or again.documents == [raw], "it comes back changed", raw, again)


def damaged_bson(data: bytes) -> None:
    """Export what a server sent damaged: the text of a document, or a clear failure."""
    for write in (
        lambda: ExtendedJson().text(data),
        lambda: ExtendedJson(canonical=True).text(data),
        lambda: CellRow(["a", "a.b", "e.0", "c.x"]).cells(data),
    ):
        with contextlib.suppress(TransferFailedError):
            write()


# What stands on the command line


def uri(data: bytes) -> None:
    """Read a connection string, beside flags."""
    source = choice(data)
    text = text_of(data)
    flags = ConnectionOptions(uri=text) if source.random() < 0.7 else ConnectionOptions(host=text)
    auth = AuthOptions(username=source.choice(("", "user")), password=source.choice((None, "x")))
    with contextlib.suppress(SeawallError):
        address = address_of(flags, TlsOptions(enabled=source.random() < 0.5), auth, "")
        hides = not text.startswith("mongodb://user:p%40ss@") or (
            address.shown.count("p%40ss") < text.count("p%40ss")
        )
        must(hides, "a password is shown", address.shown)
        concern_of("", address.concern)


def queries(data: bytes) -> None:
    """Read a query, a sort order, a read preference, a write concern, fields of an export."""
    text = text_of(data)
    for read in (
        query.check_query,
        lambda text: check_bson(query.filter_of(text).raw),
        query.sort_of,
        query.preference_of,
        query.projection_of,
        lambda text: concern_of(text, {}),
    ):
        with contextlib.suppress(SeawallError):
            read(text)


def lines(data: bytes) -> None:
    """Read command lines of import and export."""
    words = text_of(data).split("\n")
    with contextlib.suppress(SeawallError):
        import_flags.import_options(import_flags.read_line(words))
    with contextlib.suppress(SeawallError):
        export_flags.export_options(export_flags.read_line(words))


# Readings


def readings_words(data: bytes) -> None:
    """Read `--metric`, `--time-format`, `--time-zone`, and cells by what they say."""
    first, *texts = text_of(data).split("|")
    zone, form = zones.zone_of(choice(data).choice(("UTC", "Europe/Berlin", "-12:00"))), None
    with contextlib.suppress(SeawallError):
        zone = zones.zone_of(first)
    with contextlib.suppress(SeawallError):
        form = time_format(first)
    with contextlib.suppress(SeawallError):
        form = form or guess_format(texts[:1], "time")
    for text in texts[:FEW]:
        if form is not None:
            with contextlib.suppress(CellError):
                zone.moments(form.read(text).ms)
        with contextlib.suppress(SeawallError, CellError):
            metric_of(first, ["temp", "a=b", "x:y"]).value(text)


def readings_table(data: bytes) -> None:
    """Make readings of a table: readings, refused rows, or a clear failure."""
    source = choice(data)
    kind = "json" if data.lstrip()[:1] == b"{" else source.choice(("csv", "csv", "tsv"))
    asked = InputOptions(type=kind, headerline=kind != "json")
    keeps = source.random() < 0.5
    table, rows, error = _table(pieces(data, source), asked, keeps)
    _, again, same_error = _table([data], asked, keeps)
    must((rows, error) == (again, same_error), "the cut changes the rows", rows, again)
    wanted = Wanted(device="attic", time_zone=source.choice((None, "Europe/Berlin")))
    with contextlib.suppress(SeawallError):
        mapping = understand(wanted, table.columns, rows)
        for row in rows[:FEW]:
            str(mapping.reading(row))


def _table(chunks: Any, asked: InputOptions, keeps: bool) -> tuple[Table, list[Row], str]:
    table = Table([iter(chunks)], asked, bad_row=(lambda _text, _why: None) if keeps else None)
    rows = []
    try:
        for row in table.rows():
            rows.append(row)
    except SeawallError as error:
        return table, rows, error.message
    return table, rows, ""


class Target(NamedTuple):
    """A target, what it is fed, and how many inputs a run of the tests has for it."""

    check: Callable[[bytes], None]
    samples: Sequence[bytes]
    words: Sequence[bytes]
    inputs: int


TARGETS: dict[str, Target] = {
    "delimited": Target(delimited, samples.CSV_SAMPLES, samples.CSV_WORDS, 12_000),
    "columns": Target(columns, samples.CSV_SAMPLES, samples.CSV_WORDS, 8_000),
    "tables": Target(tables, samples.CSV_SAMPLES, samples.CSV_WORDS, 10_000),
    "typed_cells": Target(typed_cells, samples.CSV_WORDS, samples.CSV_WORDS, 14_000),
    "header": Target(header, samples.HEADER_SAMPLES, samples.HEADER_WORDS, 8_000),
    "dates": Target(dates, samples.LAYOUT_SAMPLES, samples.LAYOUT_WORDS, 8_000),
    "json": Target(json, samples.LEGACY_SAMPLES, samples.JSON_WORDS, 10_000),
    "json_lines": Target(json_lines, samples.JSON_SAMPLES, samples.JSON_WORDS, 10_000),
    "there_and_back": Target(there_and_back, samples.JSON_SAMPLES, samples.JSON_WORDS, 8_000),
    "damaged_bson": Target(damaged_bson, samples.BSON_SAMPLES, samples.BSON_WORDS, 10_000),
    "uri": Target(uri, samples.URI_SAMPLES, samples.URI_WORDS, 10_000),
    "queries": Target(queries, samples.QUERY_SAMPLES, samples.JSON_WORDS, 6_000),
    "lines": Target(lines, samples.LINE_SAMPLES, samples.LINE_WORDS, 6_000),
    "readings_words": Target(
        readings_words, samples.READINGS_SAMPLES, samples.READINGS_WORDS, 6_000
    ),
    "readings_table": Target(readings_table, samples.TABLE_SAMPLES, samples.TABLE_WORDS, 4_000),
}


def fuzz(name: str, inputs: int, seed: int) -> int:
    """Feed a target so many inputs; return how many it took."""
    target = TARGETS[name]
    # The hint of an unknown zone reads a folder of thousands of files.
    zones.available_timezones = cache(available_timezones)  # type: ignore[attr-defined]
    for number in range(inputs):
        rng = random.Random(f"{name} {seed + number}")
        data = damaged(rng, target.samples, target.words)
        try:
            target.check(data)
        except Exception:
            print(f"{name} fails: --seed {seed + number} --inputs 1, data {data[:2000]!r}")
            raise
    return inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, help="for each; default: as many as the tests feed")
    parser.add_argument("--seed", type=int, default=0, help="of the first; one more for each")
    options = parser.parse_args()
    unknown = set(options.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    count = 0
    for name in options.targets or TARGETS:
        inputs = TARGETS[name].inputs if options.inputs is None else options.inputs
        count += fuzz(name, inputs, options.seed)
        print(f"{name}: {inputs} inputs, nothing found", flush=True)
    print(f"{count} inputs, nothing found")


if __name__ == "__main__":
    main()
