"""The options of ``seawall audit``, by purpose."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from seawall.audit.report.standards import DEFAULT_PROFILE, PROFILES
from seawall.model.finding import Severity

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_SECRET: Final = click.Path(path_type=Path)
_NEW: Final = click.Path(dir_okay=False, path_type=Path)
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


class Ports(click.ParamType[tuple[int, ...]]):
    """``8883,443``: TCP ports, perhaps none."""

    name = "PORTS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the ports, sorted."""
        words = [word.strip() for word in str(value).split(",") if word.strip()]
        for word in words:
            if not (word.isascii() and word.isdigit() and 1 <= int(word[:6]) <= 65_535):
                self.fail(f"{word!r} is no port: write 8883,443", param, ctx)
        return tuple(sorted({int(word) for word in words}))


class Pin(click.ParamType[str]):
    """SHA-256 of a certificate, plain or with colons as openssl prints it."""

    name = "SHA256"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return 64 lower-case hex digits."""
        digits = str(value).replace(":", "").lower()
        if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
            self.fail("it must be the 64 hex digits of 'openssl x509 -fingerprint -sha256'")
        return digits


def access_options(command: Command) -> Command:
    """Add what the audit gets in with."""
    options = (
        click.option("--ca", type=_FILE, help="Authority that certificates must come from (PEM)."),
        click.option("--cert", type=_FILE, help="Client certificate (PEM)."),
        click.option("--key", type=_FILE, help="Its private key (PEM)."),
        click.option("--username", metavar="NAME", help="For MQTT, or HTTP basic authentication."),
        click.option("--password-file", type=_SECRET, help="Its password; '-': standard input."),
        click.option(
            "--password-fd", type=click.IntRange(min=0), help="Its password, from this descriptor."
        ),
        click.option(
            "--token-file", "--token", type=_SECRET, help="File with the bearer token for an API."
        ),
    )
    return _with(command, options)


def scope_options(command: Command) -> Command:
    """Add what is expected of targets, and how far the audit may go."""
    options = (
        click.option("--openapi", metavar="URL|FILE", help="The API's OpenAPI description."),
        click.option("--pin", type=Pin(), help="SHA-256 that the server's certificate must have."),
        click.option("--name", metavar="DNS", help="Name it must carry, if not the host's."),
        click.option("--expect-ports", type=Ports(), help="Ports that are meant to be open."),
        click.option(
            "--try-defaults", is_flag=True, help="Try default passwords, at most 5 a target."
        ),
        click.option("--nmap", is_flag=True, help="Ask 'nmap -sV' what answers, if installed."),
        click.option(
            "--database", type=_FILE, help="Database of vulnerabilities newer than the package's."
        ),
        click.option(
            "--read-only", is_flag=True, help="Leave out checks that publish or send odd requests."
        ),
    )
    return _with(command, options)


def policy_options(command: Command) -> Command:
    """Add what counts, and with which checks."""
    options = (
        click.option("--config", type=_FILE, help="audit.toml: targets, policy, waivers."),
        click.option(
            "--fail-on",
            type=click.Choice([each.value for each in Severity]),
            help="Least severity for exit status 1.  [default: medium]",
        ),
        click.option("--strict", is_flag=True, help="Exit status 3 if anything is unknown."),
        click.option(
            "--profile",
            type=click.Choice(list(PROFILES)),
            help=f"Standard that results are mapped to.  [default: {DEFAULT_PROFILE}]",
        ),
        click.option(
            "--checks", type=_FOLDER, multiple=True, help="Folder with checks of your own."
        ),
        click.option("--list-checks", is_flag=True, help="List the checks, and audit nothing."),
        click.option(
            "--schema", is_flag=True, help="Print the JSON Schema of --json, and audit nothing."
        ),
        click.option(
            "--fix",
            is_flag=True,
            help="Show changes of files, apply them, audit again.",
        ),
        click.option("--yes", is_flag=True, help="With --fix: do not ask."),
    )
    return _with(command, options)


def output_options(command: Command) -> Command:
    """Add the forms of the report."""
    options = (
        click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
        click.option(
            "--sarif",
            is_flag=False,
            flag_value="-",
            metavar="[FILE]",
            help="Write SARIF 2.1.0; without FILE (*.sarif, *.json), print it.",
        ),
        click.option("--html", type=_NEW, help="Write the report as one HTML file."),
        click.option("--diff", type=_FILE, help="Compare with an earlier JSON report."),
    )
    return _with(command, options)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
