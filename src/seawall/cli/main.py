"""The entry point: finds the command, runs it, turns errors into words and exit codes."""

from __future__ import annotations

import contextlib
import errno
import importlib
import keyword
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import click

from seawall.cli.exit_codes import ExitCode, exit_code_of
from seawall.cli.output import has_color, say
from seawall.errors import SeawallError, StoreFullError

COMMANDS: Final[dict[str, str]] = {
    "init": "Make a state directory: CA, certificates, secrets, admin user.",
    "up": "Run broker, ingest and web in the foreground.",
    "demo": "Show it all: devices, verified readings, attacks refused.",
    "device": "Add, list, show, bundle, command, disable and revoke devices.",
    "release": "Build, sign, publish and list releases; make and rotate the signing keys.",
    "rollout": "Offer a release to the fleet, cohort by cohort.",
    "readings": "Show stored readings.",
    "import": "Import documents into MongoDB, with mongoimport's command line; or old readings.",
    "export": "Export documents from MongoDB, with mongoexport's command line; or readings.",
    "refusals": "Show what was refused, and why.",
    "payload": "Sign and verify payloads.",
    "ca": "Show the certificate authority.",
    "audit": "Check brokers, APIs, ports, files, firmware and fleets for the ten weaknesses.",
    "user": "Add and list users, change passwords.",
}
"""Each is a module of `seawall.cli.commands`, loaded when it is needed."""


@contextlib.contextmanager
def _reader_may_leave() -> Iterator[None]:
    """End quietly when the reader goes away (`seawall readings | head`), where click fails."""
    try:
        yield
    except BrokenPipeError:
        raise click.exceptions.Exit(ExitCode.OK) from None


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Parse the command line; `--help` prints already here."""
        with _reader_may_leave():
            return super().make_context(*args, **settings)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"seawall.cli.commands.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest command for a misspelt one."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            import difflib  # noqa: PLC0415  only for the misspelt

            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"No such command '{name}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start here: 'seawall demo'. Then: 'seawall init', 'seawall up'.",
)
@click.version_option(package_name="seawall", prog_name="seawall")
def cli() -> None:
    """Run fleets of small devices securely: identity, telemetry, data, sight."""


def print_error(error: SeawallError) -> None:
    """Print what was wrong and what to do, on standard error."""
    # If nobody can be told, the exit status still says it.
    with contextlib.suppress(OSError):
        color = has_color(sys.stderr)
        say(f"{click.style('error', fg='red', bold=True)}: {error.message}", color=color)
        if error.hint:
            say(f"{click.style('hint', bold=True)}: {error.hint}", color=color)


def open_standard_streams() -> None:
    """Connect standard streams that were closed to the null device.

    Else the next file or socket that is opened gets the number 1 or 2, and what C code prints
    on standard error goes into it. `sys.stdout` and `sys.stderr` become real as well.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    # These stay open as long as the process.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123


def _status_of(fault: Exception) -> int:
    """Return the exit status for what ended a command, after telling it."""
    if isinstance(fault, SeawallError):
        print_error(fault)
        return exit_code_of(fault)
    if isinstance(fault, click.exceptions.Exit):
        return fault.exit_code
    if isinstance(fault, click.Abort):
        say("interrupted")
        return ExitCode.INTERRUPTED
    if isinstance(fault, click.ClickException):
        fault.show()
        return fault.exit_code
    if isinstance(fault, OSError) and fault.errno in {errno.ENOSPC, errno.EDQUOT}:
        where = fault.filename or "what the output goes to"
        return _status_of(StoreFullError(f"{where} cannot be written: {fault.strerror}"))
    if os.environ.get("SEAWALL_DEBUG"):
        raise fault
    print_error(
        SeawallError(
            f"a fault in Seawall: {type(fault).__name__}: {fault}",
            hint="please report it, with what SEAWALL_DEBUG=1 prints",
        )
    )
    return ExitCode.INTERNAL


def _drop_output() -> None:
    """Forget what nobody reads, so that the interpreter does not fail on it while it ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        try:
            (sys.stdout, sys.stderr)[number - 1].flush()
        except OSError:
            os.dup2(null, number)


def main() -> NoReturn:
    """Run the command line and exit with its documented status."""
    open_standard_streams()
    try:
        status = cli.main(standalone_mode=False, prog_name="seawall")
    except KeyboardInterrupt:
        status = _status_of(click.Abort())
    except Exception as fault:
        status = _status_of(fault)
    _drop_output()
    sys.exit(int(status or ExitCode.OK))


if __name__ == "__main__":
    main()
