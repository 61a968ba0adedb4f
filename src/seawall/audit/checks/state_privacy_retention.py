"""Readings that are kept for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job
from seawall.audit.fleet import day, ms
from seawall.audit.probes.state import ReadStateReadings
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_DAY_MS: Final = 86_400_000
_LONG_DAYS: Final = 400
"""A year to compare with, and a month to look at it."""
_FIX = Fix(
    "This version of Seawall removes no readings by itself. Export what is needed, 'seawall "
    "readings --help', and begin a new store once a year; or waive this finding with the reason "
    "why the past is needed."
)


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateReadings(),)


def _judge(_: Target, answers: Answers) -> Iterator[Finding]:
    oldest_ms = answers[ReadStateReadings()].oldest_ms
    if oldest_ms is None:
        yield Finding(Status.NOT_APPLICABLE, "no readings are stored yet")
        return
    age = (ms(answers.now) - oldest_ms) // _DAY_MS
    yield Finding(
        Status.FAIL,
        f"nothing limits how long readings are kept; the oldest is of {day(oldest_ms)}, "
        f"{age} days old",
        _FIX,
        Severity.LOW if age > _LONG_DAYS else Severity.INFO,
    )


CHECK = Check(
    id="state.privacy.retention",
    title="Readings are kept for ever",
    item=Item.PRIVACY,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="What is still there can still be stolen, and old readings show habits over years. What "
    "nobody looks at any more protects nobody.",
    references=References(("I6",), ("5.11-2", "6-4"), ("DP",), (359, 212)),
    jobs=_jobs,
    judge=_judge,
)
