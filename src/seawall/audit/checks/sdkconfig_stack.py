"""Stack protection in the build."""

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

_ON = tuple(
    f"CONFIG_{prefix}STACK_CHECK{mode}"
    for prefix in ("COMPILER_", "")
    for mode in ("_MODE_NORM", "_MODE_STRONG", "_MODE_ALL", "_NORM", "_STRONG", "_ALL")
)
_OFF = ("CONFIG_COMPILER_STACK_CHECK_MODE_NONE", "CONFIG_STACK_CHECK_NONE")


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    chosen = next((name for name in _ON if config.is_on(name)), None)
    if chosen:
        yield Finding(Status.PASS, f"{chosen}=y")
        return
    off = next((name for name in _OFF if config.is_on(name)), None)
    yield Finding(
        Status.FAIL,
        f"{off}=y" if off else "no stack check is chosen: ESP-IDF's default is none",
        with_options(
            target,
            "Let the compiler guard the stack.",
            f"# {_OFF[0]} is not set",
            "CONFIG_COMPILER_STACK_CHECK_MODE_STRONG=y",
        ),
        location=at(target, config.line(*_OFF)),
    )


CHECK = Check(
    id="sdkconfig.stack.unprotected",
    title="Overflows of the stack go unnoticed",
    item=Item.COMPONENTS,
    kinds=SDKCONFIG,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="An overflow that is noticed restarts the device; one that is not runs an attacker's code.",
    references=References(("I5",), ("5.6-9",), ("DC",), (121, 693)),
    jobs=file_jobs,
    judge=_judge,
)
