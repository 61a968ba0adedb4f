"""Devices that trust the server by one thing alone."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_devices import judge_devices, registry_jobs
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.device import Device, Trust
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_WORDS = {
    Trust.CA: "trusts any server with a certificate of this authority; its key alone is the wall",
    Trust.PIN: "trusts two pinned certificates and no authority; after both ended it is cut off",
}
_FIX = Fix("Add devices with both, which is the default: 'seawall device add NAME --trust ca+pin'.")


def _fault(device: Device) -> str | None:
    return _WORDS.get(device.trust) if device.board.verifies_server else None


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from judge_devices(answers, _fault, "all trust authority and pin", _FIX)


CHECK = Check(
    id="state.devices.trust",
    title="A device trusts the server by one thing alone",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    # For information: either is a sound way, each with a price that its owner should know.
    severity=Severity.INFO,
    risk=Risk.READ,
    why="With the authority and a pin, a thief of either the authority's key or the server's key "
    "alone still cannot pass for the server.",
    references=References(("I7",), ("5.5-1",), ("DP",), (295,)),
    jobs=registry_jobs,
    judge=_judge,
)
