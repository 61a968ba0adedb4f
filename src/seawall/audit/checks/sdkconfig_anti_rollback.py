"""Protection from old programs in the build."""

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

_ROLLBACK = ("CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE", "CONFIG_APP_ROLLBACK_ENABLE")
_ANTI = ("CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK", "CONFIG_APP_ANTI_ROLLBACK")


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    chosen = next((name for name in _ANTI if config.is_on(name)), None)
    if chosen:
        yield Finding(Status.PASS, f"{chosen}=y")
        return
    yield Finding(
        Status.FAIL,
        f"{_ANTI[0]} is not set",
        with_options(
            target,
            "Let the bootloader refuse programs older than the version in eFuse.",
            f"{_ROLLBACK[0]}=y",
            f"{_ANTI[0]}=y",
        ),
        location=at(target, config.line(*_ANTI)),
    )


CHECK = Check(
    id="sdkconfig.update.rollback",
    title="Old programs may come back",
    item=Item.UPDATES,
    kinds=SDKCONFIG,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="An old release is signed as well. Who can install one brings back each hole that was "
    "mended since; and an update that fails leaves a device that does not start.",
    references=References(("I4",), ("5.3-2", "5.3-9"), ("SU",), (1328,)),
    jobs=file_jobs,
    judge=_judge,
)
