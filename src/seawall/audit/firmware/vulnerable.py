"""Judges components by the database of vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from seawall.audit.check import Answers, Unobserved
from seawall.audit.firmware.advisories import (
    MAX_AGE_DAYS,
    Database,
    DatabaseError,
    Vulnerability,
    read_database,
)
from seawall.audit.firmware.components import Component
from seawall.audit.probes.firmware import ReadDatabase
from seawall.audit.target import Target
from seawall.model.finding import Confidence, Finding, Fix, Location, Status

_RENEW: Final = Fix(
    "Install a newer Seawall, or give a newer database: `seawall audit --database FILE`."
)


def judge_components(
    found: Sequence[tuple[Component, str]],
    partial: str | None,
    has_images: bool,
    target: Target,
    answers: Answers,
) -> Iterable[Finding]:
    """Return what is known of components, each version once.

    Args:
        found: With the file where each was found.
        partial: Why there may be more; None: these are all.
        has_images: Whether there are programs whose components should have been told.
        target: For the database that it brings.
        answers: With the database, and the day.

    Raises:
        Unobserved: there is no database that can be read.
    """
    database = _database(target, answers)
    known: dict[tuple[str, str], tuple[Component, str]] = {}
    for component, path in found:
        if component.name in database.components():
            known.setdefault((component.name, component.version), (component, path))
    failures = [
        _failure(component, path, each)
        for component, path in known.values()
        for each in database.of(component.name, component.version)
    ]
    yield from failures
    age = database.age_days(answers.now.date())
    dated = f"database of {database.made.isoformat()}, {max(0, age)} days old"
    if age > MAX_AGE_DAYS:
        yield Finding(Status.UNKNOWN, f"{dated}: newer vulnerabilities are not in it", _RENEW)
    elif failures:
        return
    elif partial is not None:
        yield Finding(Status.UNKNOWN, f"none found, but not all was seen: {partial}")
    elif not known:
        status = Status.UNKNOWN if has_images else Status.NOT_APPLICABLE
        yield Finding(status, f"no component names a version that the database knows ({dated})")
    else:
        names = ", ".join(sorted(f"{name} {version}" for name, version in known))
        yield Finding(Status.PASS, f"{names}: nothing known ({dated})")


def _database(target: Target, answers: Answers) -> Database:
    try:
        return read_database(answers[ReadDatabase(target.access.database)])
    except DatabaseError as error:
        raise Unobserved(f"database of vulnerabilities: {error}") from None


def _failure(component: Component, path: str, known: Vulnerability) -> Finding:
    fixed = known.fixed_after(component.version)
    upgrade = f"{component.name} {fixed} or newer" if fixed else f"a newer {component.name}"
    return Finding(
        Status.FAIL,
        f"{component.name} {component.version} has {known.id}: {known.title}",
        Fix(f"Build with {upgrade}; see {known.url}."),
        severity=known.severity,
        confidence=Confidence.MEDIUM,
        location=Location(path, component.line),
        key=f"{known.id} {component.name}",
    )
