"""Encryption of non-volatile storage in the build."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of, with_options
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    option = "CONFIG_NVS_ENCRYPTION"
    if config.is_on(option):
        yield Finding(Status.PASS, f"{option}=y")
        return
    yield Finding(
        Status.FAIL,
        f"{option} is not set",
        with_options(target, "Encrypt NVS; it needs flash encryption.", f"{option}=y"),
        location=at(target, config.line(option)),
    )


CHECK = Check(
    id="sdkconfig.nvs.plain",
    title="Stored settings are not encrypted",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=SDKCONFIG,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="The NVS partition keeps Wi-Fi passwords and keys. Flash encryption leaves it out: without "
    "its own it is read in clear.",
    references=References(("I7", "I10"), ("5.4-1",), ("DP",), (312, 311)),
    jobs=file_jobs,
    judge=_judge,
)
