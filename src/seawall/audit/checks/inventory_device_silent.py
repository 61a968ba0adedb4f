"""Devices that nobody hears of."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import FLEETS, Fault, day, findings, fleet_jobs, fleet_of, ms
from seawall.audit.inventory import Entry
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_DAY_MS = 86_400_000
_SETTLING_MS = 7 * _DAY_MS
"""Between its entry and its first message a device may lie on a table."""
_FIX = Fix(
    "Find the device. If it is gone, revoke it; if it is kept for later, disable it until then: "
    "with Seawall, 'seawall device revoke NAME' or 'seawall device disable NAME'."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers, "last_seen_ms")
    now_ms = ms(answers.now)
    silent_ms = target.policy.silent_days * _DAY_MS
    active = [entry for entry in fleet.entries if entry.is_active]
    faults = [
        Fault(entry, "it was never heard of" + _added(entry))
        for entry in active
        if entry.last_seen_ms is None and now_ms - (entry.added_ms or 0) > _SETTLING_MS
    ]
    faults += [
        Fault(entry, f"heard of last on {day(seen)}, {(now_ms - seen) // _DAY_MS} days ago")
        for entry in active
        if (seen := entry.last_seen_ms) is not None and now_ms - seen > silent_ms
    ]
    sound = f"each that is in use was heard of within {target.policy.silent_days} days"
    yield from findings(target, fleet, faults, sound, _FIX)


def _added(entry: Entry) -> str:
    return "" if entry.added_ms is None else f" since it was added on {day(entry.added_ms)}"


CHECK = Check(
    id="inventory.device.silent",
    title="A device that may connect was never seen, or is silent for long",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A device that nobody misses is the best one to steal: its credentials work, and nobody "
    "notices where it connects from. Devices never seen are credentials that lie about.",
    references=References(("I8",), ("5.10-1",), ("CS", "DI"), (1059, 672)),
    jobs=fleet_jobs,
    judge=_judge,
)
