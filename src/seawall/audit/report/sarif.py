"""The report as SARIF 2.1.0, for code scanning and whatever else collects findings.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

Results are failures alone, though SARIF has kinds for passes and open questions: GitHub takes
every result for an alert, whatever its kind (https://github.com/microsoft/PSRule/issues/955).
What is unknown is a notification of the run, so that it is not lost either.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from seawall.audit.check import Check
from seawall.audit.report.json_report import rfc3339
from seawall.audit.report.patch import command_of, lines_of, masked_text
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.sarif_rules import (
    LEVELS,
    SCORES,
    plain_message,
    rule,
    taxonomies,
    unlisted_rule,
)
from seawall.audit.report.visible import visible_block, visible_line
from seawall.audit.target import TargetKind
from seawall.model.finding import ChangeText, Fix, Result, Status

SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT: Final = "seawallAudit/v1"

_FOLDERS: Final = frozenset({TargetKind.FIRMWARE, TargetKind.STATE})


def sarif(record: AuditRecord) -> dict[str, Any]:
    """Return the report as a SARIF log with one run."""
    rules, places = _rules(record)
    standards = taxonomies(record.checks)
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "seawall audit",
                "organization": "Seawall",
                "version": record.seawall,
                "rules": rules,
                "supportedTaxonomies": [{"name": each["name"]} for each in standards],
            }
        },
        "automationDetails": {"id": "seawall-audit/"},
        "invocations": [_invocation(record, places)],
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(record, each, places) for each in record.results if each.status is Status.FAIL
        ],
        "properties": {
            "grade": record.grades.overall,
            "profile": record.profile.id,
            "passed": len(record.of_status(Status.PASS)),
            "unknown": len(record.of_status(Status.UNKNOWN)),
        },
    }
    if standards:
        run["taxonomies"] = standards
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(record: AuditRecord, places: dict[str, int]) -> dict[str, Any]:
    faults: list[dict[str, Any]] = [
        {"level": "error", "message": {"text": plain_message(each)}} for each in record.faults
    ]
    unknown = [
        {
            "level": "note",
            "message": {"text": plain_message(f"{each.check} is unknown: {each.evidence}")},
            "associatedRule": {"id": each.check, "index": places[each.check]},
            "locations": [_location(record, each)],
        }
        for each in record.of_status(Status.UNKNOWN)
    ]
    return {
        "executionSuccessful": not record.faults,
        "startTimeUtc": rfc3339(record.generated_at),
        "toolExecutionNotifications": faults + unknown,
    }


def _rules(record: AuditRecord) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return the rules, and where each stands."""
    named = {each.id: rule(each) for each in sorted(record.checks, key=_by_id)}
    for result in record.results:
        if result.check not in named:
            named[result.check] = unlisted_rule(result)
    return list(named.values()), {each: place for place, each in enumerate(named)}


def _by_id(check: Check) -> str:
    return check.id


def _result(record: AuditRecord, result: Result, places: dict[str, int]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ruleId": result.check,
        "ruleIndex": places[result.check],
        "kind": "fail",
        "level": LEVELS[result.severity],
        "message": {"text": _message(record, result)},
        "locations": [_location(record, result)],
        "partialFingerprints": {FINGERPRINT: result.fingerprint},
        "properties": {
            "item": result.item.value,
            "severity": result.severity,
            "confidence": result.confidence,
            "security-severity": SCORES[result.severity],
        },
    }
    if result.fix is not None and (command := command_of(result.fix)):
        told["properties"]["command"] = visible_block(command)
    if result.waived is not None:
        told["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": result.waived.reason,
                "properties": {"expires": result.waived.expires.isoformat()},
            }
        ]
    elif record.earlier is not None:
        is_old = result.fingerprint in record.earlier.findings
        told["baselineState"] = "unchanged" if is_old else "new"
    if fixes := _fixes(result.fix):
        told["fixes"] = fixes
    return told


def _message(record: AuditRecord, result: Result) -> str:
    check = record.check_of(result)
    sentences = [result.evidence]
    if check is not None:
        sentences.insert(0, f"{visible_line(check.title)}:")
    if result.fix is not None:
        sentences.append(f"Fix: {result.fix.text}")
    return plain_message(" ".join(sentences))


def _location(record: AuditRecord, result: Result) -> dict[str, Any]:
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(_address(record, result))}}
    if result.location and result.location.line:
        physical["region"] = {"startLine": result.location.line}
    return {
        "physicalLocation": physical,
        "logicalLocations": [{"fullyQualifiedName": result.target, "kind": "resource"}],
    }


def _address(record: AuditRecord, result: Result) -> str:
    """Return the file as the current directory names it; else the target's own address.

    Who shows results beside files needs a file of theirs, not one relative to a target.
    """
    target = record.target_of(result)
    if target is None or target.path is None or result.location is None:
        return result.target
    place = result.location.path
    if target.kind in _FOLDERS:
        return visible_line((target.path / place).as_posix())
    if place == target.path.name:
        return visible_line(target.path.as_posix())
    return visible_line((target.path.parent / place).as_posix())


def _uri(path: str) -> str:
    """Return a path or URL as a URI reference, RFC 3986."""
    if "://" in path:
        return quote(path, safe="/:@!$&'()*+,;=~-._%")
    return ("file://" if path.startswith("/") else "") + quote(path, safe="/~-._")


def _fixes(fix: Fix | None) -> list[dict[str, Any]]:
    """Return what an editor can apply; SARIF knows changes of text alone."""
    if fix is None or not (changes := list(_artifact_changes(fix))):
        return []
    return [{"description": {"text": plain_message(fix.text)}, "artifactChanges": changes}]


def _artifact_changes(fix: Fix) -> Iterator[dict[str, Any]]:
    for change in fix.changes:
        if isinstance(change, ChangeText):
            try:
                sides = [lines_of(side.decode()) for side in (change.before, change.after)]
            except UnicodeDecodeError:
                continue
            replacements = _replacements(*sides)
            inserted = "".join(each["insertedContent"]["text"] for each in replacements)
            # Masked it would be applied as it stands: a secret that is no mask any more.
            if replacements and masked_text(inserted) == inserted:
                uri = {"uri": _uri(visible_line(change.path))}
                yield {"artifactLocation": uri, "replacements": replacements}


def _replacements(before: Sequence[str], after: Sequence[str]) -> list[dict[str, Any]]:
    """Return what to put in place of which lines."""
    changed = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return [
        {
            "deletedRegion": _region(before, start, end),
            "insertedContent": {"text": "".join(after[first:last])},
        }
        for kind, start, end, first, last in changed
        if kind != "equal"
    ]


def _region(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """Return the region of whole lines: to the start of the next, which the last may lack."""
    has_next = end == 0 or lines[end - 1].endswith("\n")
    line, column = (end + 1, 1) if has_next else (end, len(lines[end - 1]) + 1)
    return {"startLine": start + 1, "startColumn": 1, "endLine": line, "endColumn": column}
