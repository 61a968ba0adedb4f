"""Exports documents of a collection of a MongoDB server to a file or a pipe."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Final

from seawall.errors import SeawallError
from seawall.transfer.columns import split_fields
from seawall.transfer.connect import connect
from seawall.transfer.export import options
from seawall.transfer.export.options import ExportOptions
from seawall.transfer.export.search import search
from seawall.transfer.export.writing import CsvWriter, DocumentWriter, JsonWriter
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.progress import bar_line
from seawall.transfer.server_uri import ServerAddress
from seawall.transfer.sources import names_of_file
from seawall.transfer.wire import Client

BUFFER_BYTES: Final = 1 << 16
PROGRESS_PERIOD_S: Final = 1.0
LOOKS_AT_CLOCK: Final = 256
"""The clock is looked at after so many documents."""
NEW_FOLDER_MODE: Final = 0o750


@dataclass(frozen=True)
class ExportReporting:
    """Where words go.

    Args:
        log: A line for people.
        draw: Draws over a line of the terminal; None if there is no terminal.
    """

    log: Callable[[str], None]
    draw: Callable[[str], None] | None = None


class OutputError(SeawallError):
    """The file to write cannot be made."""

    reference = "export-output"


@dataclass
class ExportResult:
    """How a run ended."""

    exported: int = 0


def export_documents(
    asked: ExportOptions,
    query: str,
    address: ServerAddress,
    reporting: ExportReporting,
    result: ExportResult,
) -> None:
    """Export.

    Args:
        asked: Checked options.
        query: Text of the query; empty for all documents.
        address: Of the server.
        reporting: Where words go.
        result: Takes the count, also if the run fails.

    Raises:
        UnreachableError: No connection.
        OutputError: The file cannot be made.
        TransferFailedError: The run ended before its end.
    """
    client = connect(address, asked.connection, asked.tls)
    try:
        reporting.log(f"connected to: {address.shown}")
        with opened_output(asked.output.out) as file:
            _run(asked, query, client, file, reporting, result)
    except OSError as error:
        place = asked.output.out or "standard output"
        raise TransferFailedError(f"write {place}: {(error.strerror or '').lower()}") from None
    finally:
        client.close()


@contextmanager
def opened_output(path: str) -> Iterator[IO[bytes]]:
    """Open a file to write, its folders made if need be; standard output for an empty path.

    Raises:
        OutputError: It cannot be made.
    """
    if not path:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    folder = os.path.dirname(path)  # noqa: PTH120  paths are text here
    try:
        if folder:
            os.makedirs(folder, NEW_FOLDER_MODE, exist_ok=True)  # noqa: PTH103
        file = open(path, "wb", buffering=BUFFER_BYTES)  # noqa: PTH123, SIM115
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise OutputError(f"error opening output stream: open {path}: {reason}") from None
    with file:
        yield file


def _run(
    asked: ExportOptions,
    query: str,
    client: Client,
    file: IO[bytes],
    reporting: ExportReporting,
    result: ExportResult,
) -> None:
    found = search(client, asked, query)
    if found is None:
        if asked.query.assert_exists:
            raise TransferFailedError(f"collection '{asked.collection}' does not exist")
        return
    writer = writer_of(asked.output, file.write)
    progress = _Progress(found.name, found.expected, reporting)
    # The server is asked before anything is written: what it refuses leaves no half of a file.
    first = next(found.documents, None)
    writer.begin()
    for raw in itertools.chain([] if first is None else [first], found.documents):
        writer.document(raw)
        result.exported += 1
        if result.exported % LOOKS_AT_CLOCK == 0:
            progress.tell(result.exported)
    writer.end()
    progress.end(result.exported)


def writer_of(asked: options.OutputOptions, write: Callable[[bytes], object]) -> DocumentWriter:
    """Return what writes documents as the options say.

    Raises:
        TransferFailedError: CSV without fields, or their file cannot be read.
    """
    if asked.type == options.JSON:
        return JsonWriter(
            write,
            canonical=asked.json_format == options.CANONICAL,
            array=asked.json_array,
            pretty=asked.pretty,
        )
    if asked.fields:
        fields = split_fields(asked.fields)
    elif asked.field_file:
        fields = names_of_file(asked.field_file)
    else:
        raise TransferFailedError(
            "CSV mode requires a field list", hint="name the columns: --fields a,b,c.d"
        )
    return CsvWriter(write, fields, header=not asked.no_header_line)


class _Progress:
    """Says how many documents are out: a line a second, or over one line of a terminal."""

    def __init__(self, name: str, total: int, reporting: ExportReporting) -> None:
        self._name, self._total, self._reporting = name, total, reporting
        self._told_at = self._started = time.monotonic()
        self._told = False

    def tell(self, count: int) -> None:
        """Say it, if it is time."""
        now = time.monotonic()
        if now - self._told_at < PROGRESS_PERIOD_S:
            return
        self._told_at = now
        self._told = True
        line = bar_line(self._name, count, self._total, str)
        if self._reporting.draw is None:
            self._reporting.log(line)
            return
        rate = count / (now - self._started)
        left_s = int(max(0, self._total - count) / rate)
        rest = f"  {left_s // 60}:{left_s % 60:02d} left" if self._total else ""
        self._reporting.draw(f"{line}  {rate:,.0f} documents/s{rest}")

    def end(self, count: int) -> None:
        """Say it for the last time, if it was said before."""
        if self._told:
            self._reporting.log(bar_line(self._name, count, self._total, str))


def counted(count: int) -> str:
    """Return the last line of an export."""
    return f"exported {count} record" + ("" if count == 1 else "s")
