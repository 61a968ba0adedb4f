"""Updates to older versions."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    has_trait,
    settled,
    show_line,
    updaters,
)
from seawall.audit.firmware.source import Trait
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

_FIX = Fix(
    "Keep the version of what runs, signed with it, and refuse what is not newer: "
    "`if new_version <= installed_version: return`."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    scripts = updaters(facts)
    found = [
        Finding(
            Status.FAIL,
            "an update may be older than what runs: no version is compared with <, <=, > or >=",
            _FIX,
            confidence=Confidence.MEDIUM,
            location=Location(path, line),
            reproduce=show_line(target, path, line),
            key="rollback",
        )
        for path, line in scripts.items()
        if not has_trait(facts, Trait.COMPARES_VERSIONS, path)
    ]
    passed = f"{len(scripts)} scripts update the device, each refuses what is not newer"
    return settled(
        found, facts, scripts, passed, "no code here that updates the device", by_source=True
    )


CHECK = Check(
    id="firmware.update.rollback",
    title="Updates may go back to older versions",
    item=Item.UPDATES,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="An old release is signed as well. Who can offer one brings back each hole that was "
    "mended since.",
    references=References(("I4",), ("5.3-2", "5.3-9"), ("SU",), (1328,)),
    jobs=firmware_jobs,
    judge=_judge,
)
