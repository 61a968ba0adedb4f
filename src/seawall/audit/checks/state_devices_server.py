"""Devices that cannot tell the server from somebody else."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_devices import judge_devices, registry_jobs
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_FIX = Fix(
    "Replace the board by one that verifies the server, an ESP32 or an RP2; until then keep it on "
    "a network of its own, and waive this finding with that reason and an end."
)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from judge_devices(
        answers,
        lambda device: (
            f"its board, {device.board.value}, cannot authenticate the server"
            if not device.board.verifies_server
            else None
        ),
        "all authenticate the server",
        _FIX,
    )


CHECK = Check(
    id="state.devices.server",
    title="A device cannot authenticate the server",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Whoever can stand in for the server, on the same Wi-Fi for one, reads what such a device "
    "sends and keeps it from the real one.",
    references=References(("I7",), ("5.5-1", "5.5-7"), ("DP",), (295, 300)),
    jobs=registry_jobs,
    judge=_judge,
)
