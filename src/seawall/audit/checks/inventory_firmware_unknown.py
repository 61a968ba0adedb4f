"""Devices of which nobody knows what they run."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import FLEETS, Fault, findings, fleet_jobs, fleet_of
from seawall.audit.inventory_values import version_key
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_FIX = Fix(
    "Have devices report their version and keep it in the inventory. With Seawall: 'seawall "
    "device bundle NAME --release BOARD/VERSION'; the device then says itself what it runs."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers)
    if target.kind is TargetKind.STATE and "firmware" not in fleet.fields:
        yield Finding(Status.NOT_APPLICABLE, "no release was ever put on a device")
        return
    fleet = fleet_of(target, answers, "firmware")
    faults = [
        Fault(entry, "its firmware is not known")
        if entry.firmware is None
        else Fault(entry, f"its firmware '{entry.firmware}' is no version", severity=Severity.LOW)
        for entry in fleet.entries
        if entry.is_active and (entry.firmware is None or version_key(entry.firmware) is None)
    ]
    yield from findings(target, fleet, faults, "the firmware of each in use is known", _FIX)


CHECK = Check(
    id="inventory.firmware.unknown",
    title="Nobody knows what a device runs",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="When a weakness becomes known, its owner must know within hours which devices have it. "
    "A device of unknown firmware has to be counted among them, or is forgotten.",
    references=References(("I8", "I5"), ("5.3-16",), ("DI", "SU"), (1059,)),
    jobs=fleet_jobs,
    judge=_judge,
)
