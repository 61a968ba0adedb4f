"""`seawall import`: mongoimport's command line, messages and exit codes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import click

from seawall.cli.flags import Line
from seawall.cli.import_flags import GRAMMAR, import_options, read_line
from seawall.cli.readings_flags import IMPORT_READINGS_FLAGS, asks_for_readings
from seawall.cli.tool_command import (
    FAILED,
    OK,
    Tool,
    ToolCommand,
    allowed_in,
    say_hint,
    stop_on_signals,
)
from seawall.cli.tool_log import ToolLog
from seawall.transfer.failures import OptionError, SettingsError, UnreachableError
from seawall.transfer.options import DELETE, ImportOptions

USAGE: Final = """\
Usage:
  seawall import <options> <connection-string> <file>

Import data from an Extended JSON, CSV or TSV file into MongoDB. The command line is that of
mongoimport. If no file is given, standard input is read.

Connection strings must begin with mongodb:// or mongodb+srv://.
With --as-readings: import measurements into Seawall's own store.

Examples:
  seawall import -d blog -c posts --file posts.json
  seawall import --type csv --headerline --file temps.csv --as-readings --device attic --dry-run
"""


def _prepared(line: Line, log: ToolLog) -> int:
    """Find out where to connect, then import."""
    # The rest of the options is read by modules that a wrong command line need not wait for.
    from seawall.transfer.concern import concern_of  # noqa: PLC0415
    from seawall.transfer.server_uri import address_of  # noqa: PLC0415
    from seawall.transfer.validation import validated  # noqa: PLC0415

    asked = import_options(line)
    if asks_for_readings(line, "as-readings", IMPORT_READINGS_FLAGS):
        from seawall.cli.readings_import import run_readings_import  # noqa: PLC0415

        return run_readings_import(line, asked, log)
    address = address_of(asked.connection, asked.tls, asked.auth, asked.database)
    concern = concern_of(asked.ingest.write_concern, address.concern)
    if TOOL.answers(line):
        return OK
    address = allowed_in(line, asked, address, log)
    try:
        asked = dataclasses.replace(asked, database=asked.database or address.database)
        asked = validated(asked, log.line)
    except SettingsError as error:
        log.line(f"error validating settings: {error.message}")
        say_hint(log, error)
        return FAILED
    log.line(f"using write concern: {concern}", 1)
    return _imported(asked, address, concern, log)


def _imported(asked: ImportOptions, address: Any, concern: dict[str, Any], log: ToolLog) -> int:
    from seawall.operations import import_documents as operation  # noqa: PLC0415

    stop_on_signals(operation.Interrupted)
    try:
        with _bad_rows(asked, log) as bad:
            reporting = operation.Reporting(log.line, _raw, bad, log.draw if log.draws else None)
            result = operation.import_documents(asked, address, concern, reporting)
    except UnreachableError as error:
        log.line(f"error connecting to host: {error.message}")
        say_hint(log, error)
        return FAILED
    except operation.Interrupted as stopped:
        log.line(f"signal '{stopped}' received; stopping")
        return FAILED
    return _summed_up(asked, result, log)


def _summed_up(asked: ImportOptions, result: Any, log: ToolLog) -> int:
    if result.interrupted:
        log.line(f"signal '{result.interrupted}' received; stopping")
    if result.error is not None:
        log.line(f"Failed: {result.error.message}")
        say_hint(log, result.error)
    if result.skipped_bad:
        log.line(f"{result.skipped_bad} record(s) could not be read and were left out")
    verb, noun = ("deleted", "delete") if asked.ingest.mode == DELETE else ("imported", "import")
    if result.acknowledged:
        log.line(
            f"{result.written} document(s) {verb} successfully. "
            f"{result.failed} document(s) failed to {noun}."
        )
    else:
        log.line("done")
    return FAILED if result.error is not None or result.interrupted else OK


def _raw(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.flush()


@contextlib.contextmanager
def _bad_rows(asked: ImportOptions, log: ToolLog) -> Iterator[Any]:
    place = asked.input.skip_bad_rows
    if place is None:
        yield None
        return
    file: IO[str] | None = None
    if place:
        try:
            file = Path(place).open("w", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        except OSError as error:
            raise OptionError(f"open {place}: {(error.strerror or '').lower()}") from None

    def take(text: str, why: str) -> None:
        if file is None:
            log.line(f"left out: {why}")
        else:
            file.write(text.rstrip("\n") + "\n")

    try:
        yield take
    finally:
        if file is not None:
            file.close()


class ImportCommand(ToolCommand):
    """Ends the process by itself."""

    def invoke(self, ctx: click.Context) -> NoReturn:
        """Run, and end the process."""
        status = super().invoke(ctx)
        sys.stdout.flush()
        sys.stderr.flush()
        # All is written and closed. The driver would join a thread that sleeps for half a
        # second, which is three times what a small import takes in all.
        os._exit(status)


TOOL: Final = Tool("import", USAGE, GRAMMAR, read_line, _prepared)
command = ImportCommand(
    TOOL,
    help="Import JSON, CSV or TSV into MongoDB, with mongoimport's command line; or readings.\n\n"
    "A file, a connection string, or both may stand without a flag. With --as-readings: "
    "measurements into Seawall's own store. Status: 0, 1, and 255 for a bad verbosity; with "
    "--as-readings as everywhere, and 1 if a row was refused.",
    epilog="Example: seawall import -d blog -c posts --file posts.json",
)
