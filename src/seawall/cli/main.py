"""The entry point: finds the command, runs it, turns errors into words and exit codes."""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from typing import Final, NoReturn

import click

from seawall.cli.exit_codes import ExitCode, exit_code_of
from seawall.errors import SeawallError

COMMANDS: Final[dict[str, str]] = {
    "init": "Make a state directory: CA, certificates, secrets, admin user.",
    "up": "Run broker, ingest and web in the foreground.",
    "demo": "Show it all: devices, verified readings, attacks refused.",
    "device": "Add, list, show, bundle, disable and revoke devices.",
    "readings": "Show stored readings.",
    "import": "Import JSON, CSV or TSV into MongoDB, with mongoimport's command line.",
    "export": "Export documents from MongoDB, with mongoexport's command line; or readings.",
    "refusals": "Show what was refused, and why.",
    "payload": "Sign and verify payloads.",
    "ca": "Show the certificate authority.",
    "user": "Add and list users, change passwords.",
}
"""Each is a module of `seawall.cli.commands`, loaded when it is needed."""


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

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
    click.echo(f"{click.style('error', fg='red', bold=True)}: {error.message}", err=True)
    if error.hint:
        click.echo(f"{click.style('hint', bold=True)}: {error.hint}", err=True)


def main() -> NoReturn:
    """Run the command line and exit with its documented status."""
    try:
        status = cli.main(standalone_mode=False, prog_name="seawall")
    except SeawallError as error:
        print_error(error)
        status = exit_code_of(error)
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        status = ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except BrokenPipeError:
        # The reader went away (`seawall readings | head`); that is no error of ours.
        sys.stderr.close()
        status = ExitCode.OK
    except Exception as fault:
        if os.environ.get("SEAWALL_DEBUG"):
            raise
        print_error(
            SeawallError(
                f"a fault in Seawall: {type(fault).__name__}: {fault}",
                hint="please report it, with what SEAWALL_DEBUG=1 prints",
            )
        )
        status = ExitCode.INTERNAL
    sys.exit(int(status or ExitCode.OK))


if __name__ == "__main__":
    main()
