"""Private keys within source code."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, firmware_of, settled
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)

_FIX = Fix(
    "Give each device a key of its own, in a file with mode 0600 or in encrypted NVS, and take "
    "this one out of the code. Revoke its certificate: the key is no longer secret."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = [
        Finding(
            Status.FAIL,
            f"{file.private_key} in source code: every device that runs it has the same key",
            _FIX,
            location=Location(file.path),
            key=file.path,
        )
        for file in facts.files.values()
        if file.private_key and file.source is not None
    ]
    passed = f"{len(facts.sources)} source files, no private key in them"
    return settled(found, facts, facts.sources, passed, "no source code here")


CHECK = Check(
    id="firmware.keys.embedded",
    title="A private key is written in the code",
    item=Item.PASSWORDS,
    kinds=FIRMWARE,
    severity=Severity.CRITICAL,
    risk=Risk.READ,
    why="All devices share the key, and everybody who reads the code or one flash has it: they "
    "can be any of the devices, and none can be told from another.",
    references=References(("I1", "I7"), ("5.4-3", "5.4-4"), ("DP",), (321,)),
    jobs=firmware_jobs,
    judge=_judge,
)
