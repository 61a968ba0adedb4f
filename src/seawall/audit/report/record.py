"""All that the reports of one audit are made from, whatever their format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from seawall.audit.check import Check
from seawall.audit.report.diff import Changes, Earlier, compare
from seawall.audit.report.grades import Grades, grade_results, is_open
from seawall.audit.report.standards import DEFAULT_PROFILE, PROFILES, Profile, Provision
from seawall.audit.report.visible import visible_line, visible_result
from seawall.audit.target import Target
from seawall.model.finding import Result, Status

_STATUS_ORDER: Final = (Status.FAIL, Status.UNKNOWN, Status.PASS, Status.NOT_APPLICABLE)


@dataclass(frozen=True, slots=True)
class DatabaseAge:
    """The database of known vulnerabilities that components were looked up in.

    Attributes:
        dated: Day of its newest entry.
        age_days: Days from then to the audit.
        is_too_old: Whether what it does not know counts as unknown.
    """

    dated: date
    age_days: int
    is_too_old: bool = False


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One audit, finished. Results are sorted and made fit to be read as they come in.

    Attributes:
        generated_at: When the audit began, UTC.
        seawall: Version of Seawall.
        targets: What was audited.
        checks: Those that results may name; one that is missing costs its title and why.
        results: Worst first: open failures, waived ones, unknown, passes, not applicable.
        profile: Standard that results are mapped to.
        database: Age of the database of vulnerabilities, if it was asked.
        earlier: An earlier audit to compare with.
        seconds: How long it took, if that was measured.
        faults: Internal errors, a sentence each; what they spoiled is unknown.
        grades: Made from the results.
        changes: Made from the results and the earlier audit.
    """

    generated_at: datetime
    seawall: str
    targets: Sequence[Target]
    checks: Sequence[Check]
    results: Sequence[Result]
    profile: Profile = PROFILES[DEFAULT_PROFILE]
    database: DatabaseAge | None = None
    earlier: Earlier | None = None
    seconds: float | None = None
    faults: Sequence[str] = ()
    grades: Grades = field(init=False)
    changes: Changes | None = field(init=False)
    _checks: Mapping[str, Check] = field(init=False, repr=False)
    _targets: Mapping[str, Target] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Here, so that no writer of reports can forget it.
        results = tuple(sorted(map(visible_result, self.results), key=_place))
        object.__setattr__(self, "results", results)
        object.__setattr__(self, "faults", tuple(map(visible_line, self.faults)))
        object.__setattr__(self, "grades", grade_results(results))
        changes = None if self.earlier is None else compare(self.earlier, results)
        object.__setattr__(self, "changes", changes)
        object.__setattr__(self, "_checks", {each.id: each for each in self.checks})
        targets = {visible_line(each.name): each for each in self.targets}
        object.__setattr__(self, "_targets", targets)

    @property
    def failures(self) -> tuple[Result, ...]:
        """Failures that count."""
        return tuple(each for each in self.results if is_open(each))

    @property
    def waived(self) -> tuple[Result, ...]:
        """Failures that somebody lives with for a time."""
        return tuple(each for each in self.results if each.waived is not None)

    def of_status(self, status: Status) -> tuple[Result, ...]:
        """Return the results of a status that are not waived."""
        return tuple(each for each in self.results if each.status is status and not each.waived)

    def check_of(self, result: Result) -> Check | None:
        """Return the check that a result is of."""
        return self._checks.get(result.check)

    def target_of(self, result: Result) -> Target | None:
        """Return the target that a result is of."""
        return self._targets.get(result.target)

    def provisions_of(self, result: Result) -> tuple[Provision, ...]:
        """Return what the profile's standard says of a result."""
        check = self.check_of(result)
        if check is None:
            return self.profile.of_item(result.item)
        return self.profile.of_check(check.item, check.references)


def _place(result: Result) -> tuple[object, ...]:
    """Key of the one order of all reports: what has to be mended first stands first."""
    location = result.location
    where = (location.path, location.line or 0) if location else ("", 0)
    status = _STATUS_ORDER.index(result.status)
    severity = -result.severity.rank if result.status is Status.FAIL else 0
    is_waived = result.waived is not None
    return (
        status,
        is_waived,
        severity,
        result.item,
        result.target,
        result.check,
        *where,
        result.evidence,
        result.fingerprint,
    )
