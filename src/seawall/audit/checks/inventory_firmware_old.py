"""Devices that run less than others like them, or than their owner demands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from seawall.audit.check import Answers, Check
from seawall.audit.fleet import FLEETS, Fault, findings, fleet_jobs, fleet_of
from seawall.audit.inventory import Entry, Inventory
from seawall.audit.inventory_values import version_key
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Confidence, Finding, Fix, Item, References, Risk, Severity, Status

_FIX = Fix(
    "Update the device: with Seawall, 'seawall rollout start BOARD/VERSION'. If the version is "
    "still supported, name the oldest one that is in audit.toml, [policy.minimum_firmware].",
)
_Version = tuple[int, ...]


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    fleet = fleet_of(target, answers)
    if target.kind is TargetKind.STATE and "firmware" not in fleet.fields:
        yield Finding(Status.NOT_APPLICABLE, "no release was ever put on a device")
        return
    fleet = fleet_of(target, answers, "firmware")
    minimum = {
        board.casefold(): (text, key)
        for board, text in target.policy.minimum_firmware
        if (key := version_key(text)) is not None
    }
    newest = _newest(fleet)
    faults = [
        fault
        for entry in fleet.entries
        if entry.is_active and (fault := _fault(entry, minimum, newest)) is not None
    ]
    faults.sort(key=lambda fault: fault.severity or CHECK.severity, reverse=True)
    sound = "none in use runs less than the policy or the newest of its kind"
    unsaid = [
        entry
        for entry in fleet.entries
        if entry.is_active and version_key(entry.firmware or "") is None
    ]
    yield from findings(target, fleet, faults, sound, _FIX, unsaid, "firmware")


def _newest(fleet: Inventory) -> dict[str, tuple[str, _Version]]:
    newest: dict[str, tuple[str, _Version]] = {}
    for entry in fleet.entries:
        key = version_key(entry.firmware or "")
        if key is None or entry.firmware is None:
            continue
        board = _board(entry)
        if board not in newest or key > newest[board][1]:
            newest[board] = (entry.firmware, key)
    return newest


def _board(entry: Entry) -> str:
    return (entry.board or "").casefold()


def _fault(
    entry: Entry,
    minimum: Mapping[str, tuple[str, _Version]],
    newest: Mapping[str, tuple[str, _Version]],
) -> Fault | None:
    key = version_key(entry.firmware or "")
    if key is None:
        return None
    demanded = minimum.get(_board(entry)) or minimum.get("*")
    if demanded is not None:
        # Who names a minimum has decided: nothing else is held against the device.
        if key >= demanded[1]:
            return None
        return Fault(entry, f"runs {entry.firmware}; the policy demands {demanded[0]}")
    text, best = newest[_board(entry)]
    if key >= best:
        return None
    like = f"another {entry.board}" if entry.board else "another device"
    return Fault(
        entry,
        f"runs {entry.firmware}; {like} runs {text}",
        # A difference in front means years; one behind may be a roll-out under way.
        severity=Severity.MEDIUM if key[:1] < best[:1] else Severity.LOW,
        confidence=Confidence.MEDIUM,
    )


CHECK = Check(
    id="inventory.firmware.old",
    title="A device runs old firmware",
    item=Item.COMPONENTS,
    kinds=FLEETS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="What a newer version mends is public once it is out, and who reads the changes knows how "
    "to get into the devices that do not have it.",
    references=References(("I5", "I4"), ("5.3-1", "5.3-8"), ("SU",), (1104, 1395)),
    jobs=fleet_jobs,
    judge=_judge,
)
