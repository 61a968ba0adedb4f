"""A fleet as checks judge it, whether it comes from an inventory or from a registry. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from seawall.audit.check import Answers, Job, Unobserved
from seawall.audit.inventory import Entry, Inventory
from seawall.audit.probes.inventory import ReadInventory
from seawall.audit.probes.state import ReadStateRegistry
from seawall.audit.state_facts import StateRegistry
from seawall.audit.target import Target, TargetKind
from seawall.model.device import DeviceStatus
from seawall.model.finding import Confidence, Finding, Fix, Location, Severity, Status

FLEETS: Final = frozenset({TargetKind.INVENTORY, TargetKind.STATE})
SOON: Final = timedelta(days=30)
SILENT: Final = timedelta(days=30)
SHOWN: Final = 20
"""So many devices get a finding of their own; the rest are summed up in one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one device.

    Attributes:
        entry: The device.
        evidence: One sentence without the device's name.
        key: What tells it from other faults of this check; the device's id if empty.
        severity: None: the check's.
        confidence: How sure it is.
    """

    entry: Entry
    evidence: str
    key: str = ""
    severity: Severity | None = None
    confidence: Confidence = Confidence.HIGH


def fleet_jobs(target: Target) -> Sequence[Job[Any]]:
    """Return the job that reads the fleet of a target."""
    return (ReadStateRegistry() if target.kind is TargetKind.STATE else ReadInventory(),)


def fleet_of(target: Target, answers: Answers, *fields: str) -> Inventory:
    """Return the fleet, if it says anything of these fields.

    Raises:
        Unobserved: it cannot be read, or lacks a field: what is not known is not sound.
    """
    if target.kind is TargetKind.STATE:
        fleet = fleet_from_registry(answers[ReadStateRegistry()])
    else:
        fleet = answers[ReadInventory()]
    missing = [field for field in fields if field not in fleet.fields]
    if missing and fleet.entries:
        raise Unobserved(f"it does not say {' nor '.join(_WORDS[field] for field in missing)}")
    return fleet


_WORDS: Final = {
    "board": "what model a device is",
    "firmware": "which firmware a device runs",
    "serial": "which certificate a device has",
    "expires_ms": "when a certificate ends",
    "last_seen_ms": "when a device was heard of last",
    "revoked": "what was revoked",
}


def fleet_from_registry(registry: StateRegistry) -> Inventory:
    """Return a registry as an inventory; ``firmware`` only if any device ever said its version."""
    entries = tuple(
        Entry(
            line=0,
            device_id=each.device.device_id,
            board=each.device.board.value,
            firmware=each.version,
            serial=each.device.certificate_serial,
            expires_ms=each.device.certificate_not_after_ms,
            last_seen_ms=each.last_received_ms,
            added_ms=each.device.added_ms,
            revoked=each.device.status is DeviceStatus.REVOKED,
            revoked_ms=(
                each.device.changed_ms if each.device.status is DeviceStatus.REVOKED else None
            ),
            status=each.device.status.value,
        )
        for each in registry.devices
    )
    known = {"device_id", "board", "serial", "expires_ms", "last_seen_ms", "added_ms"}
    known |= {"revoked", "revoked_ms", "status"}
    if any(entry.firmware for entry in entries):
        known.add("firmware")
    return Inventory(entries, frozenset(known))


def findings(
    target: Target,
    fleet: Inventory,
    faults: Sequence[Fault],
    sound: str,
    fix: Fix,
    unsaid: Sequence[Entry] = (),
    field: str = "",
) -> Iterator[Finding]:
    """Yield one finding for each fault, as far as `SHOWN`, or a pass if nothing is left open.

    Args:
        target: What was audited.
        fleet: All of it.
        faults: What is wrong; the worst first.
        sound: Evidence of a pass, after the number of devices.
        fix: How to mend each of them.
        unsaid: Entries that do not say what would decide: with any of them nothing passes.
        field: What they do not say.
    """
    if not fleet.entries:
        yield Finding(Status.NOT_APPLICABLE, "there are no devices")
        return
    if unsaid and not faults:
        names = ", ".join(entry.device_id for entry in unsaid[:3])
        more = ", ..." if len(unsaid) > 3 else ""
        yield Finding(
            Status.UNKNOWN,
            f"{len(unsaid)} of {counted(len(fleet.entries))} do not say {_WORDS[field]}: "
            f"{names}{more}",
            location=location_of(target, unsaid[0]),
        )
        return
    if not faults:
        yield Finding(Status.PASS, f"{counted(len(fleet.entries))}: {sound}")
        return
    for fault in faults[:SHOWN]:
        yield Finding(
            Status.FAIL,
            f"{fault.entry.device_id}: {fault.evidence}",
            fix,
            fault.severity,
            fault.confidence,
            location_of(target, fault.entry),
            key=fault.key or fault.entry.device_id,
        )
    rest = faults[SHOWN:]
    if rest:
        names = ", ".join(fault.entry.device_id for fault in rest[:3])
        yield Finding(
            Status.FAIL,
            f"{len(rest)} more of {counted(len(fleet.entries))} the same: {names}, ...",
            fix,
            rest[0].severity,
            rest[0].confidence,
            key="more",
        )


def active_without(fleet: Inventory, field: str) -> list[Entry]:
    """Return the devices in use of which the inventory does not say something."""
    return [each for each in fleet.entries if each.is_active and getattr(each, field) is None]


def location_of(target: Target, entry: Entry) -> Location | None:
    """Return where an entry stands."""
    if not entry.line or target.path is None:
        return None
    return Location(target.path.name, entry.line)


def counted(devices: int) -> str:
    """Return ``1 device``, ``3 devices``."""
    return f"{devices} device" if devices == 1 else f"{devices} devices"


def day(at_ms: int) -> str:
    """Return the date of a time, UTC."""
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def ms(moment: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
