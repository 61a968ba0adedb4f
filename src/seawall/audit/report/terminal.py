"""What the terminal shows of an audit: lines and rows as plain text, for the CLI to print.

Nothing here colours; texts are fit to be printed as they are. Lines are whole unless a
width is asked for: what goes down a pipe is searched by line.
"""

from __future__ import annotations

import textwrap
from typing import Final

from seawall.audit.report.patch import command_of, diff_of
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.standards import ITEM_TITLES
from seawall.audit.report.visible import visible_block
from seawall.model.finding import Result, Status

ITEM_COLUMNS: Final = ("item", "weakness", "grade", "failed", "unknown", "passed", "waived")
NOTHING: Final = "nothing was found out"
WAIVER_COLUMNS: Final = ("severity", "target", "check", "until", "reason")


def headline(record: AuditRecord) -> str:
    """Return the audit in one line: ``grade D: 1 high, 2 medium; 1 unknown; 4 not assessed``."""
    grade = record.grades.overall or "none (nothing was assessed)"
    parts = [_severities(record) or ("nothing to mend" if found_out(record) else NOTHING)]
    if unknown := len(record.of_status(Status.UNKNOWN)):
        parts.append(f"{unknown} unknown")
    if waived := len(record.waived):
        parts.append(f"{waived} waived")
    if unassessed := sum(each.grade is None for each in record.grades.items):
        parts.append(f"{unassessed} of 10 items not assessed")
    return f"grade {grade}: " + "; ".join(parts)


def found_out(record: AuditRecord) -> bool:
    """Tell whether any question was answered: only then is no finding good news."""
    return record.grades.overall is not None or bool(record.waived)


def _severities(record: AuditRecord) -> str:
    counted: dict[str, int] = {}
    for result in record.failures:
        counted[result.severity] = counted.get(result.severity, 0) + 1
    return ", ".join(f"{count} {severity}" for severity, count in counted.items())


def item_rows(record: AuditRecord) -> list[tuple[str, ...]]:
    """Return a row for each of the ten; see `ITEM_COLUMNS`."""
    return [
        (
            str(each.item.value),
            ITEM_TITLES[each.item],
            each.grade or "not assessed",
            *(str(count or "") for count in (each.failed, each.unknown, each.passed, each.waived)),
        )
        for each in record.grades.items
    ]


def waiver_rows(record: AuditRecord) -> list[tuple[str, ...]]:
    """Return a row for each waived failure; see `WAIVER_COLUMNS`."""
    return [
        (
            each.severity.value,
            place_of(each),
            each.check,
            each.waived.expires.isoformat(),
            each.waived.reason,
        )
        for each in record.waived
        if each.waived is not None
    ]


def finding_lines(record: AuditRecord, result: Result) -> list[str]:
    """Return an open failure with all that helps to mend it, a line each.

    Commands and lines of diffs are indented by four spaces and otherwise as they must be
    typed.
    """
    check = record.check_of(result)
    title = check.title if check else result.check
    lines = [
        f"{result.severity.value.upper()}  {title}",
        f"  {result.check} on {place_of(result)}",
        f"  {result.evidence}",
    ]
    if result.fix is not None:
        lines.append(f"  Fix: {result.fix.text}")
        for block in (command_of(result.fix), diff_of(result.fix)):
            if block is not None:
                lines += [f"    {line}" for line in visible_block(block).splitlines()]
    if result.reproduce:
        lines += ["  See for yourself:", *(f"    {line}" for line in result.reproduce.splitlines())]
    return lines


def wrapped(line: str, width: int, indent: str = "  ") -> list[str]:
    """Return a line for a terminal: prose wrapped below its beginning.

    Commands and diffs stay as they are: a terminal's own breaks are not copied with them.

    Args:
        line: One line.
        width: Columns of the terminal.
        indent: What the further lines begin with; those of a fix stand below its text.
    """
    if line.startswith("    ") or len(line) <= width:
        return [line]
    if line.startswith("  Fix: "):
        indent = " " * len("  Fix: ")
    return textwrap.wrap(
        line,
        max(width, 20),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def item_lines(record: AuditRecord) -> list[str]:
    """Return `item_rows` as lines for a terminal, at most 80 columns wide, below a heading."""
    columns = [*ITEM_COLUMNS] if record.waived else [*ITEM_COLUMNS[:-1]]
    rows = [[*row[:2], row[2] if len(row[2]) == 1 else "-", *row[3:]] for row in item_rows(record)]
    title = max(len(row[1]) for row in rows)
    lines = []
    for row in [["", *columns[1:]], *rows]:
        words = [f"{row[0]:>2}", f"{row[1]:<{title}}"]
        words += [f"{cell:>{len(name)}}" for name, cell in zip(columns[2:], row[2:], strict=False)]
        lines.append(" ".join(words).rstrip())
    return lines


def change_lines(record: AuditRecord) -> list[str]:
    """Return what changed since the earlier audit; empty without one."""
    changes = record.changes
    if changes is None:
        return []
    lines = [
        f"since {changes.since}: {len(changes.new)} new, {len(changes.gone)} gone, "
        f"{len(changes.unchanged)} unchanged"
    ]
    lines += [
        f"  + {each.severity.value}  {each.check} on {place_of(each)}" for each in changes.new
    ]
    lines += [f"  - {each.severity.value}  {each.check} on {each.target}" for each in changes.gone]
    if changes.waived:
        lines.append(f"  {len(changes.waived)} waived since")
    if changes.unchecked:
        lines.append(f"  {len(changes.unchecked)} failed then and could not be checked this time:")
        lines += [f"    {each.check} on {each.target}" for each in changes.unchecked]
    return lines


def database_line(record: AuditRecord) -> str | None:
    """Return how old the database of vulnerabilities is; None if no check asked it."""
    database = record.database
    if database is None:
        return None
    age = f"database of vulnerabilities of {database.dated}, {database.age_days} days old"
    return f"{age}: too old, what it does not know is unknown" if database.is_too_old else age


def place_of(result: Result) -> str:
    """Return the target, and the place in it where there is one."""
    place = result.location
    if place is None:
        return result.target
    line = "" if place.line is None else f":{place.line}"
    # A target that is one file has that file's name as its place.
    same = place.path == result.target or result.target.endswith(f"/{place.path}")
    if same:
        return f"{result.target}{line}"
    # Its kind is the first word of a check: these are folders, and this is a path in them.
    if result.check.partition(".")[0] in {"firmware", "state"}:
        return f"{result.target.rstrip('/')}/{place.path}{line}"
    return f"{result.target} {place.path}{line}"
