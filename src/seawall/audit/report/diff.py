"""What changed since an earlier audit, told by fingerprints.

A failure is gone only if its check looked at its target again and got an answer: what was not
audited this time, or came out unknown, is not called mended.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seawall.audit.report.grades import is_open
from seawall.audit.report.visible import visible_line
from seawall.errors import ConfigurationError
from seawall.model.finding import Result, Severity, Status

SCHEMA: Final = "seawall-audit/1"
"""Name and version of the JSON report; a change that breaks readers raises the number."""
MAX_EARLIER_BYTES: Final = 64 << 20

_HINT: Final = "give what `seawall audit --json` printed"


@dataclass(frozen=True, slots=True)
class EarlierFinding:
    """An open failure, as an earlier report tells it."""

    target: str
    check: str
    severity: Severity
    evidence: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """What matters of an earlier report.

    Attributes:
        generated_at: When it was made, as it says.
        findings: Open failures, by fingerprint.
    """

    generated_at: str
    findings: Mapping[str, EarlierFinding]


@dataclass(frozen=True, slots=True)
class Changes:
    """Open failures now against those of an earlier audit.

    Attributes:
        since: When the earlier audit was made.
        new: Failures that it did not have.
        unchanged: Failures that it had as well.
        gone: What failed then, was looked at again, and fails no more.
        waived: What failed then, still does, and has a waiver now.
        unchecked: What failed then, and was not answered this time.
    """

    since: str
    new: tuple[Result, ...] = ()
    unchanged: tuple[Result, ...] = ()
    gone: tuple[EarlierFinding, ...] = ()
    waived: tuple[EarlierFinding, ...] = ()
    unchecked: tuple[EarlierFinding, ...] = ()


def parse_earlier(text: bytes, name: str = "the earlier report") -> Earlier:
    """Read an earlier JSON report.

    Args:
        text: The file's content.
        name: What to call it in an error.

    Raises:
        ConfigurationError: It is no report, is damaged, or is of a version that this
            Seawall does not know; the message says which, and where.
    """
    report = _parse(text, name)
    schema = report.get("schema")
    if schema != SCHEMA:
        says = "has no `schema`" if schema is None else f"has the schema {_brief(schema)}"
        raise _damaged(name, f"{says}; this is not {SCHEMA}")
    generated_at = _text(report, "generated_at", name, "the report")
    results = report.get("results")
    if not isinstance(results, list):
        raise _damaged(name, "has no list of `results`")
    places = ((each, f"results[{place}]") for place, each in enumerate(results))
    findings = [_finding(each, name, where) for each, where in places if _failed(each, name, where)]
    return Earlier(visible_line(generated_at, 64), {each.fingerprint: each for each in findings})


def _parse(text: bytes, name: str) -> dict[str, Any]:
    if len(text) > MAX_EARLIER_BYTES:
        raise _damaged(name, f"has more than {MAX_EARLIER_BYTES >> 20} MiB")
    try:
        report = json.loads(text)
    except json.JSONDecodeError as error:
        raise _damaged(name, f"is not JSON: {error.msg} in line {error.lineno}") from error
    except UnicodeDecodeError as error:
        raise _damaged(name, f"is not text: byte {error.start} is not UTF-8") from error
    except (RecursionError, ValueError) as error:
        raise _damaged(
            name, "is not JSON that can be read: nested too deep, or a number too long"
        ) from error
    if not isinstance(report, dict):
        raise _damaged(name, "is not one JSON object")
    return report


def _failed(entry: object, name: str, where: str) -> bool:
    if not isinstance(entry, dict):
        raise _damaged(name, f"{where} is not an object")
    status = _text(entry, "status", name, where)
    if status not in set(Status):
        raise _damaged(name, f"{where} has the status {_brief(status)}")
    return status == Status.FAIL


def _finding(entry: dict[str, Any], name: str, where: str) -> EarlierFinding:
    severity = _text(entry, "severity", name, where)
    if severity not in set(Severity):
        raise _damaged(name, f"{where} has the severity {_brief(severity)}")
    fields = ("target", "check", "evidence", "fingerprint")
    target, check, evidence, print_ = (
        visible_line(_text(entry, field, name, where)) for field in fields
    )
    return EarlierFinding(target, check, Severity(severity), evidence, print_)


def _text(entry: Mapping[str, Any], field: str, name: str, where: str) -> str:
    value = entry.get(field)
    if not isinstance(value, str):
        raise _damaged(name, f"{where} has no text `{field}`")
    return value


def _brief(value: object) -> str:
    return visible_line(repr(value)[:80], 60)


def _damaged(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{name} {what}", reference="bad-audit-report", hint=_HINT)


def compare(earlier: Earlier, results: Iterable[Result]) -> Changes:
    """Tell what is new, gone and unchanged since an earlier audit."""
    results = tuple(results)
    failing = [each for each in results if is_open(each)]
    now = {each.fingerprint for each in failing}
    waived = {each.fingerprint for each in results if each.waived is not None} - now
    answered = _answered(results)
    before = [each for key, each in earlier.findings.items() if key not in now]
    not_now = [each for each in before if each.fingerprint not in waived]
    return Changes(
        since=earlier.generated_at,
        new=tuple(each for each in failing if each.fingerprint not in earlier.findings),
        unchanged=tuple(each for each in failing if each.fingerprint in earlier.findings),
        gone=tuple(each for each in not_now if (each.target, each.check) in answered),
        waived=tuple(each for each in before if each.fingerprint in waived),
        unchecked=tuple(each for each in not_now if (each.target, each.check) not in answered),
    )


def _answered(results: Iterable[Result]) -> Collection[tuple[str, str]]:
    """Return the (target, check) that were looked at, without any of it unknown."""
    seen = {(each.target, each.check): True for each in results}
    seen |= {(each.target, each.check): False for each in results if each.status is Status.UNKNOWN}
    return {pair for pair, is_answered in seen.items() if is_answered}
