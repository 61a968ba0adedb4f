"""One name for several devices."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import FLEETS, Fault, findings, fleet_jobs, fleet_of
from seawall.audit.inventory import Entry
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_FIX = Fix("Give each device an id of its own, and remove entries that were copied by mistake.")


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers)
    first: dict[str, Entry] = {}
    faults: list[Fault] = []
    for entry in fleet.entries:
        # MQTT tells Pump-1 from pump-1; people, spreadsheets and file systems do not.
        folded = entry.device_id.casefold()
        earlier = first.setdefault(folded, entry)
        if earlier is not entry:
            where = f"on line {earlier.line}" if earlier.line else f"as {earlier.device_id}"
            faults.append(Fault(entry, f"it stands {where} already", key=f"{folded} {len(faults)}"))
    yield from findings(target, fleet, faults, "each has an id of its own", _FIX)


CHECK = Check(
    id="inventory.device.duplicate",
    title="Two devices have one id",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Two devices with one id throw each other off the broker, and the readings of both end in "
    "one history. Revoking one leaves the other in, or takes it down as well.",
    references=References(("I8",), ("5.4-2",), ("DI",), (694,)),
    jobs=fleet_jobs,
    judge=_judge,
)
