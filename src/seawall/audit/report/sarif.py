"""The report as SARIF 2.1.0, for code scanning and whatever else collects findings.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from seawall.audit.check import Check
from seawall.audit.report.json_report import rfc3339
from seawall.audit.report.patch import command_of, lines_of
from seawall.audit.report.record import AuditRecord
from seawall.audit.report.sarif_rules import (
    KINDS,
    LEVELS,
    SCORES,
    plain_message,
    rule,
    taxonomies,
    unlisted_rule,
)
from seawall.audit.report.visible import visible_block, visible_line
from seawall.model.finding import ChangeText, Fix, Result, Status

SARIF_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT: Final = "seawallAudit/v1"
INFORMATION: Final = "https://github.com/seawall/seawall"


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
        "invocations": [_invocation(record)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(record, each, places) for each in record.results],
        "properties": {"grade": record.grades.overall, "profile": record.profile.id},
    }
    if standards:
        run["taxonomies"] = standards
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(record: AuditRecord) -> dict[str, Any]:
    return {
        "executionSuccessful": not record.faults,
        "startTimeUtc": rfc3339(record.generated_at),
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": plain_message(each)}} for each in record.faults
        ],
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
    is_failure = result.status is Status.FAIL
    told: dict[str, Any] = {
        "ruleId": result.check,
        "ruleIndex": places[result.check],
        "kind": KINDS[result.status],
        "level": LEVELS[result.severity] if is_failure else "none",
        "message": {"text": _message(record, result)},
        "locations": [_location(result)],
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
    elif record.earlier is not None and is_failure:
        is_old = result.fingerprint in record.earlier.findings
        told["baselineState"] = "unchanged" if is_old else "new"
    if fixes := _fixes(result.fix):
        told["fixes"] = fixes
    return told


def _message(record: AuditRecord, result: Result) -> str:
    check = record.check_of(result)
    sentences = [result.evidence]
    if check is not None and result.status is Status.FAIL:
        sentences.insert(0, f"{visible_line(check.title)}:")
    if result.fix is not None:
        sentences.append(f"Fix: {result.fix.text}")
    return plain_message(" ".join(sentences))


def _location(result: Result) -> dict[str, Any]:
    told: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": result.target, "kind": "resource"}]
    }
    # Who shows results beside files needs a file; a target on the network is named by its URL.
    address = result.location.path if result.location else result.target
    artifact: dict[str, Any] = {"uri": _uri(address)}
    told["physicalLocation"] = {"artifactLocation": artifact}
    if result.location and result.location.line:
        told["physicalLocation"]["region"] = {"startLine": result.location.line}
    return told


def _uri(path: str) -> str:
    """Return a path or URL as a URI reference, RFC 3986."""
    return quote(path, safe="/:@!$&'()*+,;=~-._%") if "://" in path else quote(path, safe="/~-._")


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
            if replacements := _replacements(*sides):
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
