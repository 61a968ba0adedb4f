"""What the build logs."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of, unknown, with_options
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_LEVELS = ("CONFIG_LOG_DEFAULT_LEVEL", "CONFIG_LOG_MAXIMUM_LEVEL", "CONFIG_BOOTLOADER_LOG_LEVEL")
_INFO = 3


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    levels = {name: config.options[name] for name in _LEVELS if name in config.options}
    if not levels:
        yield unknown("no log level stands here: ESP-IDF's default is info")
        return
    chatty = {n: o for n, o in levels.items() if o.value.isdigit() and int(o.value[:3]) > _INFO}
    for name, option in chatty.items():
        yield Finding(
            Status.FAIL,
            f"{name}={option.value[:3]}: more than info ({_INFO})",
            with_options(
                target,
                "Log no more than info in what is shipped.",
                f"{name}={_INFO}",
                f"{name}_INFO=y",
            ),
            location=at(target, option.line),
            key=name,
        )
    if not chatty:
        yield Finding(Status.PASS, ", ".join(f"{n}={o.value[:3]}" for n, o in levels.items()))


CHECK = Check(
    id="sdkconfig.log.verbose",
    title="The device logs more than it should",
    item=Item.DEFAULTS,
    kinds=SDKCONFIG,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="Debug logs on the serial port tell addresses, states and now and then a secret to whoever "
    "holds the board.",
    references=References(("I9", "I10"), ("5.6-2", "5.6-4"), ("DC",), (215, 532)),
    jobs=file_jobs,
    judge=_judge,
)
