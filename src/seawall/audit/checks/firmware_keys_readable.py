"""Private keys that others may read."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    own_alone,
    settled,
)
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    keys = [file for file in facts.files.values() if file.private_key and file.source is None]
    found = [
        Finding(
            Status.FAIL,
            f"{file.private_key} without passphrase, mode {file.mode:04o}: not its owner's alone",
            own_alone(target, file.path),
            location=Location(file.path),
            key=file.path,
        )
        for file in keys
        if file.mode & 0o077
    ]
    passed = f"{len(keys)} private keys, each its owner's alone"
    return settled(found, facts, keys, passed, "no private keys here")


CHECK = Check(
    id="firmware.keys.readable",
    title="Private keys are open to other users",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Whoever has a device's private key is that device for the broker, from anywhere. Every "
    "user and program of this machine can take it.",
    references=References(("I7",), ("5.4-1",), ("DP",), (732, 522)),
    jobs=firmware_jobs,
    judge=_judge,
)
