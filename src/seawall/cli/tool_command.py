"""What the command lines of import and export have in common: their command, errors, access."""

from __future__ import annotations

import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from seawall.cli.flags import BOOL, VERBOSITY, Flag, Grammar, Line
from seawall.cli.tool_log import ToolLog, help_text
from seawall.cli.tool_secrets import apply_config, ask_passwords, password_warnings
from seawall.errors import SeawallError
from seawall.transfer.failures import OptionError, VerbosityError

if TYPE_CHECKING:
    from seawall.transfer.options import ToolOptions
    from seawall.transfer.server_uri import ServerAddress

OK, FAILED, BAD_VERBOSITY = 0, 1, 255
BEFORE_STOPPED: Final = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}
"""What the original calls the signals that stop it."""


@dataclass(frozen=True)
class Tool:
    """One of the two.

    Args:
        name: ``import`` or ``export``.
        usage: What stands above the flags in its help.
        grammar: Of its line.
        read_line: Reads the line, positional words moved to their flags.
        prepared: Does the work of a line; returns the exit status.
    """

    name: str
    usage: str
    grammar: Grammar
    read_line: Callable[[Sequence[str]], Line]
    prepared: Callable[[Line, ToolLog], int]

    @property
    def try_help(self) -> str:
        """The line below an error of the command line."""
        return f"try 'seawall {self.name} --help' for more information"

    def run(self, arguments: Sequence[str]) -> int:
        """Run once; return the exit status."""
        log = ToolLog(sys.stderr)
        try:
            line = self.read_line(arguments)
            apply_config(line)
            log.configure(line.take("verbose", 0), line.take("quiet", False))
            return self.prepared(line, log)
        except VerbosityError as error:
            sys.stderr.write(error.message + "\n")
            return BAD_VERBOSITY
        except OptionError as error:
            log.line(f"error parsing command line options: {error.message}")
            say_hint(log, error)
            log.line(self.try_help)
            return FAILED

    def answers(self, line: Line) -> bool:
        """Print the help or the version if the line asks for it; return whether it does."""
        if line.take("help", False):
            sys.stdout.write(help_text(self.usage, self.grammar.flags))
        elif line.take("version", False):
            sys.stdout.write(version_text(self.name))
        else:
            return False
        return True


class ToolCommand(click.Command):
    """Hands its words over as they are: this line has a grammar of its own.

    Args:
        tool: What it runs.
        help: Of the reference pages.
        epilog: Of the reference pages.
    """

    def __init__(self, tool: Tool, *, help: str, epilog: str) -> None:  # noqa: A002  click's word
        flags = [flag for flag in tool.grammar.flags if flag.group and flag.name != "help"]
        super().__init__(tool.name, help=help, epilog=epilog, params=[*map(described, flags)])
        self._tool = tool

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep all words."""
        ctx.args = list(args)
        return ctx.args

    def invoke(self, ctx: click.Context) -> int:
        """Run, and return the exit status."""
        return self._tool.run(ctx.args)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help, with the flags by group."""
        return help_text(self._tool.usage, self._tool.grammar.flags)


def described(flag: Flag) -> click.Option:
    """Return a flag as the reference pages read it; nothing parses with these."""
    names = [f"--{flag.name}", *([f"-{flag.short}"] if flag.short else [])]
    is_flag = flag.kind in {BOOL, VERBOSITY}
    metavar = None if is_flag else flag.value
    return click.Option(names, is_flag=is_flag, help=flag.help, metavar=metavar, expose_value=False)


def allowed_in(
    line: Line, asked: ToolOptions, address: ServerAddress, log: ToolLog
) -> ServerAddress:
    """Return the address with every password that is needed; warn of what others may see."""
    for text in password_warnings(line, asked.tls):
        log.line(text)
    for name in address.ignored:
        log.line(f"WARNING: ignoring unsupported URI parameter `{name}`")
    return ask_passwords(address, log)


def stop_on_signals(stopped: type[BaseException]) -> None:
    """Let the first SIGINT or SIGTERM raise, with the signal's name; the second ends at once."""

    def stop(number: int, _frame: object) -> None:
        signal.signal(number, lambda *_: os._exit(FAILED))
        raise stopped(BEFORE_STOPPED[signal.Signals(number)])

    for each in BEFORE_STOPPED:
        signal.signal(each, stop)


def say_hint(log: ToolLog, error: SeawallError) -> None:
    """Print what an error advises, if it does."""
    if error.hint:
        log.line(f"hint: {error.hint}")


def version_text(name: str) -> str:
    """Return what `--version` prints."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  takes long

    try:
        number = version("seawall")
    except PackageNotFoundError:
        number = "0+unknown"
    return (
        f"seawall {name} version: {number}\n"
        f"Python version: {platform.python_version()}\n"
        f"   os: {sys.platform}\n   arch: {platform.machine()}\n"
    )
