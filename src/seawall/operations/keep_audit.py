"""Keeps the result of an audit of the installation, and tells what is new in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from seawall.audit.report.diff import SCHEMA
from seawall.errors import StateError
from seawall.model.event import Event
from seawall.model.installation import StatePaths
from seawall.operations.installation import Installation
from seawall.pki import files

MAX_BYTES: Final = 32 << 20
MAX_EVENTS: Final = 20
"""So many failures get an event of their own; of more the number is told."""
_WORDS_CHARS: Final = 300


@dataclass(frozen=True, slots=True)
class Told:
    """A failure, in the words of a report."""

    check: str
    target: str
    severity: str
    evidence: str


@dataclass(frozen=True, slots=True)
class KeptAudit:
    """What became of an audit.

    Attributes:
        grade: Of all; empty if nothing could be assessed.
        new: Failures that the audit before did not have, the worst first; on the first audit all.
        gone: Failures that are mended.
    """

    grade: str
    new: tuple[Told, ...]
    gone: tuple[Told, ...]


def last_path(paths: StatePaths) -> Path:
    """Return where the last result stands."""
    return Path(paths.audit) / "last.json"


def last_audit(paths: StatePaths) -> bytes | None:
    """Return the last result, JSON as ``seawall audit --json`` prints it; None if there is none."""
    try:
        data = last_path(paths).read_bytes()
    except OSError:
        return None
    return data if len(data) <= MAX_BYTES else None


def last_audited(paths: StatePaths) -> datetime | None:
    """Return when the last audit began; None if there is no result that can be read."""
    try:
        return datetime.fromisoformat(json.loads(last_audit(paths) or b"{}")["generated_at"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def keep_audit(installation: Installation, report: bytes) -> KeptAudit:
    """Keep a result in place of the last one, and log events of what changed.

    Args:
        installation: Whose.
        report: What ``seawall audit --json``, with ``--diff`` if there is a last result, printed.

    Raises:
        StateError: this is no report, or it cannot be kept (StoreFullError: the disk is full).
        StoreError: the events cannot be kept.
    """
    kept = _parse(report)
    path = last_path(installation.paths)
    try:
        files.make_private_directory(path.parent)
        files.write_private(path, report)
    except OSError as error:
        raise files.unwritable(path, error) from error
    events = [
        installation.event(
            "audited", grade=kept.grade or "-", new=str(len(kept.new)), gone=str(len(kept.gone))
        )
    ]
    events += _events(installation, "audit-finding-new", kept.new)
    events += _events(installation, "audit-finding-gone", kept.gone)
    installation.store.log(events)
    return kept


def _events(installation: Installation, kind: str, told: Sequence[Told]) -> list[Event]:
    return [
        installation.event(
            kind,
            check=each.check,
            target=each.target,
            severity=each.severity,
            evidence=each.evidence,
        )
        for each in told[:MAX_EVENTS]
    ]


def _parse(report: bytes) -> KeptAudit:
    try:
        members: Any = json.loads(report)
        if members["schema"] != SCHEMA:
            raise ValueError(f"schema {members['schema']!r}")
        failures = [each for each in members["results"] if each["status"] == "fail"]
        changes = members.get("changes")
        # On the first audit all is new but what is for information only.
        new = (
            [each for each in failures if each["severity"] != "info"]
            if changes is None
            else [each for each in failures if each["fingerprint"] in set(changes["new"])]
        )
        gone = [] if changes is None else changes["gone"]
        return KeptAudit(
            str(members["grade"] or ""), tuple(map(_told, new)), tuple(map(_told, gone))
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(
            f"the audit printed no report: {type(error).__name__}: {error}",
            reference="audit-no-report",
            hint="'seawall audit' says what is wrong",
        ) from error


def _told(entry: Mapping[str, Any]) -> Told:
    return Told(
        str(entry["check"]),
        str(entry["target"]),
        str(entry["severity"]),
        str(entry["evidence"])[:_WORDS_CHARS],
    )
