"""Devices that sign in the plain way."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_devices import judge_devices, registry_jobs
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.device import Profile
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_FIX = Fix(
    "Move the device to the agent, or have its program sign as seawall/1: see 'seawall payload "
    "sign --help'. Then revoke this entry and add the device anew."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from judge_devices(
        answers,
        lambda device: (
            "signs in the plain way: the topic is not signed, and a time may stand in for the "
            "sequence number"
            if device.profile is Profile.PLAIN
            else None
        ),
        "all sign as seawall/1",
        _FIX,
    )


CHECK = Check(
    id="state.devices.plain",
    title="A device signs in the plain way",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="A plain signature says nothing of the topic that a message belongs on, so that a reading "
    "could be taken for another kind of message; TLS still guards it on the way.",
    references=References(("I7",), ("5.5-1",), ("DP",), (345, 294)),
    jobs=registry_jobs,
    judge=_judge,
)
