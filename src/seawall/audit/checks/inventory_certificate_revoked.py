"""Devices that were shut out and are not."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.fleet import FLEETS, Fault, day, findings, fleet_jobs, fleet_of, ms
from seawall.audit.inventory import Entry, Inventory
from seawall.audit.target import Target
from seawall.model.finding import Confidence, Finding, Fix, Item, References, Risk, Severity

_DAY_MS = 86_400_000
_MARGIN_MS = 60_000
"""What was on its way when the device was revoked."""
_FIX = Fix(
    "Have the broker load the revocation list and end the device's session, then prove it by a "
    "connection with the revoked certificate: 'seawall device revoke' does all three. Correct "
    "the inventory if the device was let in again on purpose."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers)
    if fleet.entries and not fleet.fields & {"revoked", "revoked_ms", "status"}:
        raise Unobserved("it does not say which devices are revoked")
    # A day of revocation is left blank where there was none; a word that nobody wrote is no word.
    if "revoked_ms" not in fleet.fields and not any(map(_says, fleet.entries)) and fleet.entries:
        raise Unobserved("its cells do not say of any device whether it is revoked")
    revoked = [entry for entry in fleet.entries if entry.is_revoked]
    recently_ms = ms(answers.now) - target.policy.silent_days * _DAY_MS
    faults = [fault for entry in revoked if (fault := _fault(entry, recently_ms)) is not None]
    faults += _in_use_elsewhere(fleet)
    unsaid = revoked if "last_seen_ms" not in fleet.fields else []
    sound = "nothing that was revoked is in use"
    yield from findings(target, fleet, faults, sound, _FIX, unsaid, "last_seen_ms")


def _says(entry: Entry) -> bool:
    return entry.revoked is not None or entry.status is not None


def _fault(entry: Entry, recently_ms: int) -> Fault | None:
    if entry.says_active:
        return Fault(entry, f"it is revoked, and its status is '{entry.status}'")
    if entry.last_seen_ms is None:
        return None
    seen = day(entry.last_seen_ms)
    if entry.revoked_ms is not None:
        if entry.last_seen_ms <= entry.revoked_ms + _MARGIN_MS:
            return None
        return Fault(entry, f"revoked on {day(entry.revoked_ms)}, and heard of on {seen}")
    if entry.last_seen_ms < recently_ms:
        return None
    # It may have been revoked just after: the inventory does not say when.
    return Fault(entry, f"it is revoked, and was heard of on {seen}", confidence=Confidence.MEDIUM)


def _in_use_elsewhere(fleet: Inventory) -> Iterator[Fault]:
    gone = {entry.serial: entry for entry in fleet.entries if entry.is_revoked and entry.serial}
    for entry in fleet.entries:
        revoked = gone.get(entry.serial or "")
        if revoked is not None and entry.is_active and entry.device_id != revoked.device_id:
            yield Fault(
                entry,
                f"its certificate {entry.serial} is revoked, as that of {revoked.device_id}",
                key=f"{entry.device_id} {entry.serial}",
            )


CHECK = Check(
    id="inventory.certificate.revoked-active",
    title="A revoked device is still active",
    item=Item.MANAGEMENT,
    kinds=FLEETS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A device is revoked because it was stolen, sold or broken into. If it still gets in, its "
    "finder reads what it may read and sends readings that the fleet believes.",
    references=References(("I8",), ("5.5-8",), ("DI", "LA"), (299, 613)),
    jobs=fleet_jobs,
    judge=_judge,
)
