"""One certificate on several devices."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import FLEETS, Fault, active_without, findings, fleet_jobs, fleet_of
from seawall.audit.inventory import Entry
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_FIX = Fix(
    "Give each device a key and a certificate of its own, then revoke the shared one: "
    "with Seawall, 'seawall device add' for each and 'seawall device bundle'."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers, "serial")
    owners: dict[str, list[Entry]] = defaultdict(list)
    for entry in fleet.entries:
        if entry.serial:
            owners[entry.serial].append(entry)
    faults = []
    for serial, entries in owners.items():
        names = sorted({entry.device_id for entry in entries})
        if len(names) < 2:
            continue
        some = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        evidence = f"certificate {serial} is that of {len(names)} devices: {some}"
        faults.append(Fault(entries[1], evidence, key=serial))
    sound = "each certificate belongs to one device"
    unsaid = active_without(fleet, "serial")
    yield from findings(target, fleet, faults, sound, _FIX, unsaid, "serial")


CHECK = Check(
    id="inventory.certificate.shared",
    title="Devices share a certificate",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Whoever opens one device has the identity of all that share its certificate, and can "
    "speak for each of them. One stolen device cannot be shut out without shutting out the rest.",
    references=References(("I8", "I1"), ("5.4-4",), ("DI",), (321, 1391)),
    jobs=fleet_jobs,
    judge=_judge,
)
