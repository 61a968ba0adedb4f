"""`seawall import`: mongoimport's command line, messages and exit codes."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import click

from seawall.cli.flags import BOOL, VERBOSITY, Flag, Line
from seawall.cli.import_flags import GRAMMAR, import_options, read_line
from seawall.cli.readings_flags import IMPORT_READINGS_FLAGS, asks_for_readings
from seawall.cli.tool_log import ToolLog, help_text
from seawall.cli.tool_secrets import apply_config, ask_passwords, password_warnings
from seawall.errors import SeawallError
from seawall.transfer.failures import OptionError, SettingsError, UnreachableError, VerbosityError
from seawall.transfer.options import DELETE, ImportOptions

OK, FAILED, BAD_VERBOSITY = 0, 1, 255
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


class ImportCommand(click.Command):
    """Hands its words over as they are: this line has a grammar of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep all words."""
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> NoReturn:
        """Run, and end the process."""
        status = run(ctx.args)
        sys.stdout.flush()
        sys.stderr.flush()
        # All is written and closed. The driver would join a thread that sleeps for half a
        # second, which is three times what a small import takes in all.
        os._exit(status)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help, with the flags by group."""
        return help_text(USAGE, GRAMMAR.flags)


def described(flag: Flag) -> click.Option:
    """Return a flag as the reference pages read it; nothing parses with these."""
    names = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    is_flag = flag.kind in {BOOL, VERBOSITY}
    metavar = None if is_flag else flag.value
    return click.Option(names, is_flag=is_flag, help=flag.help, metavar=metavar, expose_value=False)


command = ImportCommand(
    "import",
    help="Import JSON, CSV or TSV into MongoDB, with mongoimport's command line; or readings.\n\n"
    "A file, a connection string, or both may stand without a flag. With --as-readings: "
    "measurements into Seawall's own store. Status: 0, 1, and 255 for a bad verbosity; with "
    "--as-readings as everywhere, and 1 if a row was refused.",
    epilog="Example: seawall import -d blog -c posts --file posts.json",
    params=[described(flag) for flag in GRAMMAR.flags if flag.group and flag.name != "help"],
)


def run(arguments: Sequence[str]) -> int:
    """Run one import; return its exit status."""
    log = ToolLog(sys.stderr)
    try:
        line = read_line(arguments)
        apply_config(line)
        log.configure(line.take("verbose", 0), line.take("quiet", False))
        return _prepared(line, log)
    except VerbosityError as error:
        sys.stderr.write(error.message + "\n")
        return BAD_VERBOSITY
    except OptionError as error:
        log.line(f"error parsing command line options: {error.message}")
        _hint(log, error)
        log.line("try 'seawall import --help' for more information")
        return FAILED


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
    if line.take("help", False):
        sys.stdout.write(help_text(USAGE, GRAMMAR.flags))
        return OK
    if line.take("version", False):
        sys.stdout.write(version_text())
        return OK
    for text in password_warnings(line, asked):
        log.line(text)
    for name in address.ignored:
        log.line(f"WARNING: ignoring unsupported URI parameter `{name}`")
    asked, address = ask_passwords(asked, address, log)
    try:
        asked = validated(_with_database(asked, address.database), log.line)
    except SettingsError as error:
        log.line(f"error validating settings: {error.message}")
        _hint(log, error)
        return FAILED
    log.line(f"using write concern: {concern}", 1)
    return _imported(asked, address, concern, log)


def _with_database(asked: ImportOptions, database: str) -> ImportOptions:
    import dataclasses  # noqa: PLC0415

    return dataclasses.replace(asked, database=asked.database or database)


def _imported(asked: ImportOptions, address: Any, concern: dict[str, Any], log: ToolLog) -> int:
    from seawall.operations import import_documents as operation  # noqa: PLC0415

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, lambda *_: os._exit(FAILED))
        raise operation.Interrupted("interrupt" if number == signal.SIGINT else "terminated")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with _bad_rows(asked, log) as bad:
            reporting = operation.Reporting(log.line, _raw, bad, log.draw if log.draws else None)
            result = operation.import_documents(asked, address, concern, reporting)
    except UnreachableError as error:
        log.line(f"error connecting to host: {error.message}")
        _hint(log, error)
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
        _hint(log, result.error)
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


def _hint(log: ToolLog, error: SeawallError) -> None:
    if error.hint:
        log.line(f"hint: {error.hint}")


def version_text() -> str:
    """Return what `--version` prints."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

    try:
        number = version("seawall")
    except PackageNotFoundError:
        number = "0+unknown"
    return (
        f"seawall import version: {number}\n"
        f"Python version: {platform.python_version()}\n"
        f"   os: {sys.platform}\n   arch: {platform.machine()}\n"
    )
