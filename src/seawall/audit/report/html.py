"""The report as one HTML file, for a browser and for paper (A4).

It loads nothing: styles and the few lines of script are inside, and its own
Content-Security-Policy names them by hash, so that nothing else could run even if a
text from a target slipped through the escaping.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup, escape

from seawall.audit.report.json_report import rfc3339
from seawall.audit.report.patch import command_of, diff_of, patch_command
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.standards import DEFAULT_PROFILE, ITEM_TITLES, Provision
from seawall.audit.report.terminal import found_out, place_of
from seawall.audit.report.visible import visible_block, visible_line
from seawall.audit.target import TargetKind
from seawall.model.finding import Grade, Result, Severity, Status

PAGE: Final = Path(__file__).parent / "page"
MAX_ROWS: Final = 1_000
"""Most results of one kind that the page shows; the rest is in the JSON report, and counted."""

MEANINGS: Final = {
    None: "Nothing was assessed",
    Grade.A: "Nothing to mend was found",
    Grade.B: "Little to mend, or questions left open",
    Grade.C: "To be mended soon",
    Grade.D: "To be mended now",
    Grade.F: "An easy way in",
}
KINDS: Final = {
    TargetKind.MQTT: "MQTT broker",
    TargetKind.API: "HTTP interface",
    TargetKind.TLS: "TLS port",
    TargetKind.HOST: "Ports of a machine",
    TargetKind.MOSQUITTO: "Mosquitto configuration",
    TargetKind.FIRMWARE: "Firmware or bundle",
    TargetKind.SDKCONFIG: "ESP-IDF sdkconfig",
    TargetKind.EFUSE: "eFuse summary",
    TargetKind.INVENTORY: "Inventory of devices",
    TargetKind.STATE: "Seawall installation",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A result, as the page tells it."""

    result: Result
    title: str
    why: str
    place: str
    item: str
    command: str | None
    applied_by: str
    diff: tuple[tuple[str, str], ...]
    provisions: tuple[Provision, ...]
    cwe: tuple[int, ...]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """Results of one kind: those that are shown, and how many there are."""

    rows: tuple[Shown, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Questions about one place that have no answer for one reason: a dead port spoils many."""

    place: str
    reason: str
    titles: tuple[str, ...]
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProvisionRow:
    """One provision of the chosen standard, and what speaks for and against it."""

    provision: Provision
    failed: int
    unknown: int
    passed: int


def page(record: AuditRecord) -> str:
    """Return the report as an HTML document, to be written as UTF-8."""
    style, script = _inlined("report.css"), _inlined("report.js")
    return (
        _environment()
        .get_template("report.html")
        .render(
            record=record,
            style=Markup(style),  # noqa: S704  our own file
            script=Markup(script),  # noqa: S704  our own file
            policy=_policy(style, script),
            generated=rfc3339(record.generated_at),
            meaning=MEANINGS[record.grades.overall],
            meanings=MEANINGS,
            found_out=found_out(record),
            severities=_severities(record),
            failures=_listed(record, record.failures),
            waived=_listed(record, record.waived),
            unknown=_listed(record, record.of_status(Status.UNKNOWN)),
            unanswered=_unanswered(record),
            passed=_listed(record, record.of_status(Status.PASS)),
            not_applicable=_listed(record, record.of_status(Status.NOT_APPLICABLE)),
            titles=ITEM_TITLES,
            unassessed=sum(each.grade is None for each in record.grades.items),
            targets=_targets(record),
            provisions=_provisions(record),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["counted"] = counted
    environment.filters["prose"] = prose
    environment.filters.update(day=_day, clock=_clock, since=_since)
    return environment


def _day(moment: date) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%H:%M} UTC"


def _since(told: str) -> str:
    """Return the time of an earlier report for people, or as it stands there."""
    try:
        moment = datetime.fromisoformat(told)
    except ValueError:
        return told
    return f"{_day(moment)}, {_clock(moment)}"


def prose(text: str) -> Markup:
    """Return text for people, escaped, with what stands between backticks as code."""
    # Never more than this: evidence is a stranger's, and no markup of theirs is obeyed.
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one backtick has no partner, and stays what it is
        parts[-2:] = ["`".join(parts[-2:])]
    pieces = (
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )
    return Markup("").join(pieces)


def counted(count: int, one: str, many: str = "") -> str:
    """Return ``1 finding``, ``2 findings``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@cache
def _inlined(name: str) -> str:
    text = (PAGE / name).read_text(encoding="utf-8")
    return f"\n{text}"


def _policy(style: str, script: str) -> str:
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    )
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; "
        f"script-src 'sha256-{script_hash}'; base-uri 'none'; form-action 'none'"
    )


def _listed(record: AuditRecord, results: Sequence[Result]) -> Listed:
    return Listed(tuple(_shown(record, each) for each in results[:MAX_ROWS]), len(results))


def _shown(record: AuditRecord, result: Result) -> Shown:
    check, fix = record.check_of(result), result.fix
    command, diff = (command_of(fix), diff_of(fix)) if fix else (None, None)
    known = record.earlier.findings if record.earlier else None
    return Shown(
        result=result,
        title=visible_line(check.title) if check else result.check,
        why=visible_line(check.why) if check else "",
        place=place_of(result),
        item=ITEM_TITLES[result.item],
        command=None if command is None else visible_block(command),
        applied_by=patch_command(fix) if fix else "",
        diff=() if diff is None else _diff_lines(visible_block(diff)),
        provisions=record.provisions_of(result),
        cwe=check.references.cwe if check else (),
        is_new=known is not None and result.fingerprint not in known,
    )


def _unanswered(record: AuditRecord) -> list[Unanswered]:
    groups: dict[tuple[str, str], list[Shown]] = {}
    for each in _listed(record, record.of_status(Status.UNKNOWN)).rows:
        groups.setdefault((each.place, each.result.evidence), []).append(each)
    return [
        Unanswered(
            place,
            reason,
            tuple(each.title for each in questions),
            tuple(sorted({each.result.item.value for each in questions})),
        )
        for (place, reason), questions in groups.items()
    ]


def _diff_lines(diff: str) -> tuple[tuple[str, str], ...]:
    """Return the lines, with ends, each with what it is."""
    marks = {"+": "added", "-": "removed", "@": "place"}
    return tuple(
        (marks.get(line[:1], "same"), f"{line}\n") for line in diff.rstrip("\n").split("\n")
    )


def _severities(record: AuditRecord) -> list[tuple[Severity, int]]:
    found = [each.severity for each in record.failures]
    return [(severity, found.count(severity)) for severity in reversed(Severity)]


def _targets(record: AuditRecord) -> list[tuple[str, str, dict[str, int]]]:
    """Return each target's name, its kind in words, and how its results came out."""
    counts: dict[str, dict[str, int]] = {}
    for result in record.results:
        status = "waived" if result.waived else result.status.value
        here = counts.setdefault(result.target, dict.fromkeys(("fail", "unknown", "pass"), 0))
        here[status] = here.get(status, 0) + 1
    none = dict.fromkeys(("fail", "unknown", "pass"), 0)
    names = [(visible_line(each.name), KINDS[each.kind]) for each in record.targets]
    return [(name, kind, counts.get(name, none)) for name, kind in names]


def _provisions(record: AuditRecord) -> list[ProvisionRow]:
    """Return how each provision of the profile fares; nothing where that is the ten again."""
    if record.profile.id == DEFAULT_PROFILE:
        return []
    counts: dict[Provision, dict[Status, int]] = {}
    for result in record.results:
        if result.waived or result.status is Status.NOT_APPLICABLE:
            continue
        for provision in record.provisions_of(result):
            here = counts.setdefault(provision, dict.fromkeys(Status, 0))
            here[result.status] += 1
    order = list(record.profile.provisions)
    ordered = sorted(counts, key=lambda each: order.index(each.id) if each.id in order else 999)
    return [
        ProvisionRow(
            each,
            failed=counts[each][Status.FAIL],
            unknown=counts[each][Status.UNKNOWN],
            passed=counts[each][Status.PASS],
        )
        for each in ordered
    ]
