"""Certificates that have ended, or soon will."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import (
    FLEETS,
    Fault,
    active_without,
    day,
    findings,
    fleet_jobs,
    fleet_of,
    ms,
)
from seawall.audit.inventory import Entry
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_DAY_MS = 86_400_000
_FIX = Fix(
    "Give the device a new certificate before the old one ends, and put it aside or revoke it if "
    "it is not in use any more."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers, "expires_ms")
    now_ms = ms(answers.now)
    soon_ms = now_ms + target.policy.expiring_days * _DAY_MS
    ending = [
        entry
        for entry in fleet.entries
        if entry.is_active and entry.expires_ms is not None and entry.expires_ms < soon_ms
    ]
    # Those that are still let in first: somebody accepts what has ended.
    ranked = sorted(ending, key=lambda entry: (-_severity(entry, now_ms).rank, entry.device_id))
    faults = [
        Fault(entry, _evidence(entry, now_ms), severity=_severity(entry, now_ms))
        for entry in ranked
    ]
    sound = "no certificate in use has ended or soon will"
    unsaid = active_without(fleet, "expires_ms")
    yield from findings(target, fleet, faults, sound, _FIX, unsaid, "expires_ms")


def _severity(entry: Entry, now_ms: int) -> Severity:
    if _is_let_in(entry):
        return Severity.HIGH
    return Severity.MEDIUM if (entry.expires_ms or 0) <= now_ms else Severity.LOW


def _is_let_in(entry: Entry) -> bool:
    ends, seen = entry.expires_ms, entry.last_seen_ms
    return ends is not None and seen is not None and seen > ends + _DAY_MS


def _evidence(entry: Entry, now_ms: int) -> str:
    ends = entry.expires_ms or 0
    if _is_let_in(entry):
        return (
            f"its certificate ended on {day(ends)}, and it was heard of on "
            f"{day(entry.last_seen_ms or 0)}: nobody checks the date"
        )
    if ends <= now_ms:
        return f"its certificate ended on {day(ends)}"
    return f"its certificate ends on {day(ends)}, in {(ends - now_ms) // _DAY_MS} days"


CHECK = Check(
    id="inventory.certificate.expired",
    title="A device's certificate has ended, or soon will",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A device whose certificate has ended falls silent, and people then tend to turn the check "
    "of dates off for all. Where an ended certificate is still let in, one that was thrown away "
    "years ago is as well.",
    references=References(("I8",), ("5.4-4", "5.5-8"), ("DI",), (298, 324)),
    jobs=fleet_jobs,
    judge=_judge,
)
