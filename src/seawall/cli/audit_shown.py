"""Prints an audit for people: failures with evidence and fix, what is unknown, the grades."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

import click

from seawall.audit.check import Check
from seawall.audit.report import terminal
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.standards import ITEM_TITLES
from seawall.cli.output import has_color, print_table, say
from seawall.model.finding import Risk, Severity, Status

_COLORS: Final = {
    Severity.CRITICAL: "bright_red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "blue",
}
_GRADE_COLORS: Final = {"A": "green", "B": "green", "C": "yellow", "D": "red", "F": "bright_red"}
_DIFF_COLORS: Final = {"    +": "green", "    -": "red", "    @": "cyan"}
_CHECK_COLUMNS: Final = ("item", "check", "severity", "risk", "kinds", "title")


def print_record(record: AuditRecord) -> None:
    """Print the record: what to mend first, the grade last, where the eye is."""
    for result in record.failures:
        first, *rest = terminal.finding_lines(record, result)
        _line(first, fg=_COLORS[result.severity], bold=True)
        for line in rest:
            _prose(line, fg=_DIFF_COLORS.get(line[:5]))
        click.echo()
    _print_unknown(record)
    if record.waived:
        click.echo("Waived:")
        print_table(terminal.WAIVER_COLUMNS, terminal.waiver_rows(record), empty="")
    for line in terminal.change_lines(record):
        _prose(line, indent="    ")
    _print_items(record)
    if database := terminal.database_line(record):
        click.echo(database)
    color = _GRADE_COLORS.get(record.grades.overall or "")
    _prose(terminal.headline(record), fg=color, bold=True)


def _print_items(record: AuditRecord) -> None:
    """Print the ten: a table that fits into 80 columns; on a pipe, as every table is there."""
    if not sys.stdout.isatty():
        print_table(terminal.ITEM_COLUMNS, terminal.item_rows(record), empty="")
        return
    heading, *lines = terminal.item_lines(record)
    _line(heading, bold=True)
    for line, each in zip(lines, record.grades.items, strict=True):
        _line(line, fg=_GRADE_COLORS.get(each.grade or ""))
    click.echo()


def _print_unknown(record: AuditRecord) -> None:
    """Print what has no answer, a line for each target and reason: one dead port spoils many."""
    unknown = record.of_status(Status.UNKNOWN)
    if not unknown:
        return
    checks: dict[tuple[str, str], str] = {}
    counted: Counter[tuple[str, str]] = Counter()
    for each in unknown:
        place = (each.target, each.evidence)
        checks.setdefault(place, each.check)
        counted[place] += 1
    click.echo("Unknown:")
    for (target, reason), count in counted.items():
        what = checks[target, reason] if count == 1 else f"{count} checks"
        _prose(f"  {target}: {reason} ({what})", indent="    ")
    click.echo()


def print_checks(checks: Sequence[Check]) -> None:
    """Print what there is to check: on a terminal by item, on a pipe as a table."""
    if sys.stdout.isatty() and checks:
        _print_checks_by_item(checks)
    else:
        rows = [
            (
                str(check.item.value),
                check.id,
                check.severity.value,
                check.risk.value,
                ", ".join(sorted(check.kinds)),
                check.title,
            )
            for check in checks
        ]
        print_table(_CHECK_COLUMNS, rows, empty="There are no checks.")
    say(f"{len(checks)} checks.")


def _print_checks_by_item(checks: Sequence[Check]) -> None:
    """Print a heading for each item and a line for each check: a table is too wide."""
    longest = max(len(check.id) for check in checks)
    for item, title in ITEM_TITLES.items():
        _line(f"{item.value} {title}", bold=True)
        for check in checks:
            if check.item is item:
                risk = "" if check.risk is Risk.READ else f" ({check.risk.value})"
                begins = f"  {check.id:<{longest}}  {check.severity.value:<8}  "
                _prose(f"{begins}{check.title}{risk}", indent=" " * len(begins))
        click.echo()


def _prose(
    text: str, *, fg: str | None = None, bold: bool | None = None, indent: str = "  "
) -> None:
    """Print a line, on a terminal wrapped where words end; a pipe gets it whole."""
    if not sys.stdout.isatty():
        click.echo(text)
        return
    for line in terminal.wrapped(text, shutil.get_terminal_size().columns, indent):
        _line(line, fg=fg, bold=bold)


def _line(text: str, *, fg: str | None = None, bold: bool | None = None) -> None:
    styled = has_color() and (fg is not None or bold is not None)
    click.echo(click.style(text, fg=fg, bold=bold) if styled else text)
