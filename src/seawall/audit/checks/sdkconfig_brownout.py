"""The brown-out detector in the build."""

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

_NAMES = tuple(
    f"CONFIG_{prefix}BROWNOUT_DET"
    for prefix in ("ESP_", "", "ESP32_", "ESP32S2_", "ESP32S3_", "ESP32C3_", "ESP32C2_", "ESP32C6_")
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    chosen = next((name for name in _NAMES if config.is_on(name)), None)
    if chosen:
        yield Finding(Status.PASS, f"{chosen}=y")
    elif not config.knows(*_NAMES) and not config.is_whole:
        yield Finding(Status.PASS, "not mentioned: ESP-IDF's default is on")
    else:
        name = next((each for each in _NAMES if config.knows(each)), _NAMES[0])
        yield Finding(
            Status.FAIL,
            f"{name} is not set",
            with_options(target, "Leave the brown-out detector on.", f"{name}=y"),
            location=at(target, config.line(name)),
        )


CHECK = Check(
    id="sdkconfig.brownout.off",
    title="The brown-out detector is off",
    item=Item.HARDWARE,
    kinds=SDKCONFIG,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="A dip in the supply makes a processor skip instructions, such as the check of a signature."
    " It also corrupts flash. The detector resets the chip instead.",
    references=References(("I10",), ("5.7-1",), ("DC",), (1247, 1332)),
    jobs=file_jobs,
    judge=_judge,
)
