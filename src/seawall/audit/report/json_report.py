"""The report for programs: one versioned JSON object. audit-report.schema.json describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from seawall.audit.report.diff import SCHEMA, Changes, EarlierFinding
from seawall.audit.report.grades import ItemGrade
from seawall.audit.report.patch import command_of, diff_of
from seawall.audit.report.record import AuditRecord, DatabaseAge
from seawall.audit.report.standards import ITEM_TITLES
from seawall.audit.report.visible import visible_block, visible_line
from seawall.model.finding import Fix, Result, Waiver

SCHEMA_FILE: Final = Path(__file__).parent / "audit-report.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `report`."""
    schema: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


def report(record: AuditRecord) -> dict[str, Any]:
    """Return the report as what JSON can hold.

    ``results`` has everything but waived failures, the worst first; these are in
    ``waived``, with their waivers, so that who counts failures counts those that are open.
    """
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "generated_at": rfc3339(record.generated_at),
        "seawall": record.seawall,
        "profile": record.profile.id,
        "grade": record.grades.overall,
        "items": [_item(record, each) for each in record.grades.items],
        "targets": [
            {"name": visible_line(each.name), "kind": each.kind} for each in record.targets
        ],
        "results": [_result(record, each) for each in record.results if each.waived is None],
        "waived": [
            _result(record, each) | {"waiver": _waiver(each.waived)}
            for each in record.results
            if each.waived is not None
        ],
        "database": _database(record.database),
        "seconds": record.seconds,
        "faults": list(record.faults),
    }
    if record.changes is not None:
        told["changes"] = _changes(record.changes)
    return told


def rfc3339(moment: datetime) -> str:
    """Return a moment as ``2026-11-22T03:24:00Z``."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _item(record: AuditRecord, item: ItemGrade) -> dict[str, Any]:
    return {
        "item": int(item.item),
        "title": ITEM_TITLES[item.item],
        "grade": item.grade,
        "passed": item.passed,
        "failed": item.failed,
        "unknown": item.unknown,
        "waived": item.waived,
        "provisions": [each.id for each in record.profile.of_item(item.item)],
    }


def _result(record: AuditRecord, result: Result) -> dict[str, Any]:
    location = result.location
    return {
        "target": result.target,
        "check": result.check,
        "item": int(result.item),
        "status": result.status,
        "severity": result.severity,
        "confidence": result.confidence,
        "evidence": result.evidence,
        "fix": _fix(result.fix),
        "location": {"path": location.path, "line": location.line} if location else None,
        "fingerprint": result.fingerprint,
        "reproduce": result.reproduce,
        "provisions": [each.id for each in record.provisions_of(result)],
    }


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    command, diff = command_of(fix), diff_of(fix)
    return {
        "text": fix.text,
        "command": None if command is None else visible_block(command),
        "diff": None if diff is None else visible_block(diff),
    }


def _waiver(waiver: Waiver) -> dict[str, str]:
    return {"reason": waiver.reason, "expires": waiver.expires.isoformat()}


def _database(database: DatabaseAge | None) -> Mapping[str, Any] | None:
    if database is None:
        return None
    return {
        "dated": database.dated.isoformat(),
        "age_days": database.age_days,
        "too_old": database.is_too_old,
    }


def _changes(changes: Changes) -> dict[str, Any]:
    return {
        "since": changes.since,
        "new": [visible_line(each.fingerprint) for each in changes.new],
        "unchanged": [visible_line(each.fingerprint) for each in changes.unchanged],
        "gone": [_earlier(each) for each in changes.gone],
        "waived": [_earlier(each) for each in changes.waived],
        "unchecked": [_earlier(each) for each in changes.unchecked],
    }


def _earlier(finding: EarlierFinding) -> dict[str, Any]:
    return {
        "target": finding.target,
        "check": finding.check,
        "severity": finding.severity,
        "evidence": finding.evidence,
        "fingerprint": finding.fingerprint,
    }
