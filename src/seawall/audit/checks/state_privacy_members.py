"""Readings that say something of a person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.personal_fields import Kind, personal
from seawall.audit.probes.state import ReadStateReadings
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import (
    Confidence,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_FIX = Fix(
    "Leave the field out of what the device sends, or coarsen it there: what was never sent needs "
    "no protection. If it is needed, write down why and for how long, tell those whom it "
    "concerns, and waive this finding with that reason."
)


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateReadings(),)


def _judge(_: Target, answers: Answers) -> Iterator[Finding]:
    readings = answers[ReadStateReadings()]
    sender = dict(reversed(readings.members))
    proven = {field: (kind, device) for field, kind, device in reversed(readings.signs)}
    for field, (words, device) in sorted(proven.items()):
        yield Finding(
            Status.FAIL,
            f"the newest reading of {device} holds what looks like {words}, in '{field}'",
            _FIX,
            key=field,
        )
    found = [(name, kind) for name, kind in personal(sender) if name not in proven]
    for name, kind in found:
        yield Finding(
            Status.FAIL,
            f"readings have a field '{name}', which may say {kind.value}; {sender[name]} sends it",
            _FIX,
            Severity.LOW if kind in {Kind.HABIT, Kind.NETWORK} else None,
            Confidence.MEDIUM,
            key=name,
        )
    if not sender and not proven:
        yield Finding(Status.NOT_APPLICABLE, "no readings are stored yet")
    elif not found and not proven:
        seen = f"{len(sender)} names of fields"
        yield Finding(Status.PASS, f"{seen}; none says something of a person")


CHECK = Check(
    id="state.privacy.members",
    title="Readings hold personal data",
    item=Item.PRIVACY,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A name, a place or a pulse turns measurements into a record of somebody's life, which "
    "a thief can sell and the law has rules for. Most fleets collect it without needing it.",
    references=References(("I6",), ("6-4", "6-5", "5.8-2"), ("DP",), (359,)),
    jobs=_jobs,
    judge=_judge,
)
