"""``seawall export``: mongoexport's command line, messages and exit codes; and readings."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Any, Final

from seawall.cli.export_flags import GRAMMAR, export_options, read_line
from seawall.cli.flags import Line
from seawall.cli.readings_flags import EXPORT_READINGS_FLAGS, asks_for_readings
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
from seawall.transfer.export.options import ExportOptions, check_settings
from seawall.transfer.failures import SettingsError, TransferFailedError, UnreachableError

USAGE: Final = """\
Usage:
  seawall export <options> <connection-string>

Export documents from MongoDB as Extended JSON or CSV. The command line is that of mongoexport.
With --readings: export readings from Seawall's own store.

Connection strings must begin with mongodb:// or mongodb+srv://.

Examples:
  seawall export -d blog -c posts --out posts.json
  seawall export -d blog -c posts --type csv --fields title,author.name
  seawall export --readings --device greenhouse-1 --since 7d --type csv --out week.csv
"""


def _prepared(line: Line, log: ToolLog) -> int:
    # The rest is read by modules that a wrong command line need not wait for.
    from seawall.transfer.server_uri import address_of  # noqa: PLC0415

    asked = export_options(line)
    address = address_of(asked.connection, asked.tls, asked.auth, asked.database)
    reads_store = asks_for_readings(line, "readings", EXPORT_READINGS_FLAGS)
    if TOOL.answers(line):
        return OK
    if reads_store:
        from seawall.cli.readings_export import run_readings_export  # noqa: PLC0415

        return run_readings_export(line, asked, log)
    from seawall.transfer.export.query import preference_of  # noqa: PLC0415

    preference_of(asked.query.read_preference)
    if line.take("slaveOk", False):
        log.line("--slaveOk is deprecated and --readPreference=nearest should be used instead")
    address = allowed_in(line, asked, address, log)
    if line.take("csv", False):
        log.line("csv flag is deprecated; please use --type=csv instead")
    asked = dataclasses.replace(asked, database=asked.database or address.database)
    try:
        query = _checked(asked)
    except SettingsError as error:
        log.line(error.message)
        say_hint(log, error)
        log.line(TOOL.try_help)
        return FAILED
    return _exported(asked, query, address, log)


def _checked(asked: ExportOptions) -> str:
    """Check the settings, and return the text of the query."""
    from seawall.transfer.export.query import check_query, sort_of  # noqa: PLC0415

    check_settings(asked)
    query = asked.query.query
    if asked.query.query_file:
        try:
            query = Path(asked.query.query_file).read_text(
                encoding="utf-8", errors="surrogateescape"
            )
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise SettingsError(
                f"error reading queryFile: open {asked.query.query_file}: {reason}"
            ) from None
    if query or asked.query.query_file:
        # An empty file is no query: not the one that finds everything.
        check_query(query)
    if asked.query.sort:
        sort_of(asked.query.sort)
    return query


def _exported(asked: ExportOptions, query: str, address: Any, log: ToolLog) -> int:
    from seawall.operations import export_documents as operation  # noqa: PLC0415

    result = operation.ExportResult()
    reporting = operation.ExportReporting(log.line, log.draw if log.draws else None)
    stop_on_signals(KeyboardInterrupt)
    try:
        operation.export_documents(asked, query, address, reporting, result)
    except UnreachableError as error:
        log.line(f"error connecting to host: {error.message}")
        say_hint(log, error)
        return FAILED
    except operation.OutputError as error:
        log.line(error.message)
        return FAILED
    except TransferFailedError as error:
        log.line(f"Failed: {error.message}")
        say_hint(log, error)
        _silence_output()
        return FAILED
    except KeyboardInterrupt as stop:
        log.line(f"signal '{stop}' received; {operation.counted(result.exported)} before it")
        _silence_output()
        return FAILED
    log.line(operation.counted(result.exported))
    return OK


def _silence_output() -> None:
    """Let the interpreter flush into nothing at its end: the reader may be gone."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


TOOL: Final = Tool("export", USAGE, GRAMMAR, read_line, _prepared)
command = ToolCommand(
    TOOL,
    help="Export documents from MongoDB, with mongoexport's command line; or readings.\n\n"
    "A connection string may stand without a flag. With --readings: readings from Seawall's own "
    "store. Status: 0, 1, and 255 for a bad verbosity; with --readings as everywhere.",
    epilog="Examples: seawall export -d blog -c posts --out posts.json; "
    "seawall export --readings --device attic --since 7d --type csv --out week.csv",
)
