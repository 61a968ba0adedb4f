"""Audits targets; lists what there is to check."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Final

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Check, Limits
from seawall.audit.firmware.advisories import MAX_AGE_DAYS, DatabaseError, read_database
from seawall.audit.policy import AuditPolicy, waived, waiver_notes
from seawall.audit.report.diff import Earlier
from seawall.audit.report.grades import is_open
from seawall.audit.report.record import AuditRecord, DatabaseAge
from seawall.audit.report.standards import DEFAULT_PROFILE, find_profile
from seawall.audit.runner import Ports, Terms
from seawall.audit.running import Progress, audit_all
from seawall.audit.target import Target, TargetKind
from seawall.errors import UsageError
from seawall.model.finding import Severity, Status


def list_checks(folders: Iterable[Path] = ()) -> tuple[Check, ...]:
    """Return all checks, those of the folders as well, sorted by item and id.

    Raises:
        ConfigurationError: a folder or a file in it is wrong.
    """
    return find_checks(folders)


_WITH_COMPONENTS: Final = frozenset({TargetKind.FIRMWARE, TargetKind.SDKCONFIG})
"""Targets whose checks ask the database of vulnerabilities."""


@dataclass(frozen=True, slots=True)
class AuditOrder:
    """What to audit, and how.

    Attributes:
        targets: What.
        checks: With what (`list_checks`); those for other kinds of targets are left out.
        policy: Waivers, and what the command line left open.
        profile: Standard to map to; empty: the policy's, or the usual.
        earlier: Report to compare with.
        ports: What observes in the stead of jobs that cannot (`seawall.audit.runner.Ports`).
        limits: What a target may cost; the nonce is made here if it is empty.
    """

    targets: Sequence[Target]
    checks: Sequence[Check]
    policy: AuditPolicy = field(default_factory=AuditPolicy)
    profile: str = ""
    earlier: Earlier | None = None
    ports: Ports = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


def audit_targets(order: AuditOrder, progress: Progress = lambda *_: None) -> AuditRecord:
    """Audit targets, four at a time; returns within their deadlines, whatever they do.

    Args:
        order: What to audit, and how.
        progress: Is told a target's name and how many of its checks are done, from any thread.

    Raises:
        UsageError: there is no such profile, or two targets have one name.
    """
    profile = find_profile(order.profile or order.policy.profile or DEFAULT_PROFILE)
    targets = _distinct(order.targets)
    began, started = datetime.now(UTC), time.monotonic()
    limits = replace(order.limits, nonce=order.limits.nonce or secrets.token_hex(6))
    terms = Terms(limits, began, order.ports)
    results, faults = audit_all(targets, order.checks, terms, progress)
    return AuditRecord(
        generated_at=began,
        seawall=_version(),
        targets=targets,
        checks=order.checks,
        results=waived(results, order.policy.waivers, began.date()),
        profile=profile,
        database=_database_age(targets, began.date()),
        earlier=order.earlier,
        seconds=round(time.monotonic() - started, 3),
        faults=faults,
    )


def _version() -> str:
    try:
        return metadata.version("seawall")
    except metadata.PackageNotFoundError:
        return "from a checkout"


def _database_age(targets: Sequence[Target], today: date) -> DatabaseAge | None:
    """Return how old the database is that components were held against; None if none were."""
    asked = [each for each in targets if each.kind in _WITH_COMPONENTS]
    if not asked:
        return None
    named = asked[0].access.database
    try:
        data = (named or files("seawall.audit") / "vulnerabilities.json").read_bytes()
        database = read_database(data)
    except (OSError, DatabaseError):
        return None  # the checks that need it say so
    age = database.age_days(today)
    return DatabaseAge(database.made, age, is_too_old=age > MAX_AGE_DAYS)


def _distinct(targets: Sequence[Target]) -> list[Target]:
    """Return the targets without repetition.

    Raises:
        UsageError: two that differ have one name: reports could not tell them apart.
    """
    distinct = list(dict.fromkeys(targets))
    names = Counter(each.name for each in distinct)
    name, times = next(iter(names.most_common(1)), ("", 0))
    if times > 1:
        raise UsageError(
            f"{times} targets are called {name}", hint="give each a 'name' of its own in audit.toml"
        )
    return distinct


def unneeded_waivers(order: AuditOrder, record: AuditRecord) -> list[str]:
    """Return a sentence for each waiver that expired, is misspelt, or is needed no more."""
    ids = [check.id for check in order.checks]
    today = record.generated_at.date()
    return list(waiver_notes(order.policy.waivers, record.results, ids, today))


def counted_failures(record: AuditRecord, fail_on: Severity) -> int:
    """Return how many open failures are at least so severe."""
    return sum(is_open(each) and each.severity >= fail_on for each in record.results)


def unanswered(record: AuditRecord) -> int:
    """Return how many questions have no answer."""
    return sum(each.status is Status.UNKNOWN for each in record.results)
