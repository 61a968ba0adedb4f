"""Components with known vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job, Unobserved
from seawall.audit.firmware.advisories import (
    MAX_AGE_DAYS,
    Database,
    DatabaseError,
    Vulnerability,
    read_database,
)
from seawall.audit.firmware.components import Component
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, firmware_of
from seawall.audit.probes.firmware import ReadDatabase
from seawall.audit.target import Target
from seawall.model.finding import (
    Confidence,
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)

_RENEW = Fix("Install a newer Seawall, or give a newer database: `seawall audit --database FILE`.")


def _jobs(target: Target) -> Sequence[Job[Any]]:
    return (*firmware_jobs(target), ReadDatabase(target.access.database))


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    try:
        database = read_database(answers[ReadDatabase(target.access.database)])
    except DatabaseError as error:
        raise Unobserved(f"database of vulnerabilities: {error}") from None
    age = database.age_days(answers.now.date())
    components = _known(facts.files.values(), database)
    found = [
        _finding(component, each)
        for component in components
        for each in database.of(component.name, component.version)
    ]
    yield from found
    dated = f"database of {database.made.isoformat()}, {max(0, age)} days old"
    if age > MAX_AGE_DAYS:
        yield Finding(Status.UNKNOWN, f"{dated}: newer vulnerabilities are not in it", _RENEW)
    elif not found and facts.partial is not None:
        yield Finding(Status.UNKNOWN, f"none found, but not all was seen: {facts.partial}")
    elif not found and not components:
        yield Finding(Status.UNKNOWN, f"no version of a component that is known ({dated})")
    elif not found:
        names = ", ".join(sorted({f"{each.name} {each.version}" for each in components}))
        yield Finding(Status.PASS, f"{names}: nothing known ({dated})")


def _known(files: Iterable[Any], database: Database) -> list[Component]:
    """Return components of which something is known, each version once."""
    names = database.components()
    first: dict[tuple[str, str], Component] = {}
    for file in files:
        for component in file.components:
            if component.name in names:
                first.setdefault((component.name, component.version), component)
    return list(first.values())


def _finding(component: Component, known: Vulnerability) -> Finding:
    fixed = known.fixed_after(component.version)
    upgrade = f"{component.name} {fixed} or newer" if fixed else f"a newer {component.name}"
    return Finding(
        Status.FAIL,
        f"{component.name} {component.version} has {known.id}: {known.title}",
        Fix(f"Build with {upgrade}; see {known.url}."),
        severity=known.severity,
        confidence=Confidence.MEDIUM,
        location=Location(component.path, component.line),
        key=f"{known.id} {component.name}",
    )


CHECK = Check(
    id="firmware.components.vulnerable",
    title="Components have known vulnerabilities",
    item=Item.COMPONENTS,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="For known holes there are ready-made attacks, and devices answer with their versions. "
    "An attacker needs no skill, only a list.",
    references=References(("I5",), ("5.3-8", "5.2-3"), ("Software Update",), (1104, 1395, 937)),
    jobs=_jobs,
    judge=_judge,
)
