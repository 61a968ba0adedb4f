"""Secrets that are built in."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of
from seawall.audit.firmware.sdkconfig_source import literal_in_option
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_FIX = Fix(
    "Leave it empty here and provision it at run time into encrypted NVS (`nvs_set_str()`); then "
    "change it wherever it is used."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    found = []
    for name, option in config.options.items():
        literal = literal_in_option(name, option.value, option.line) if option.is_text else None
        if literal is not None:
            found.append(literal)
            yield Finding(
                Status.FAIL,
                f"{literal} is built into the program",
                _FIX,
                severity=Severity.CRITICAL if literal.is_default else None,
                location=at(target, literal.line),
                key=literal.name,
            )
    if not found:
        yield Finding(Status.PASS, f"{len(config.options)} options, no password or key in them")


CHECK = Check(
    id="sdkconfig.secrets.built-in",
    title="Passwords are built into the program",
    item=Item.PASSWORDS,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="What stands here is in every image: one flash that is read, or one image that leaks, "
    "opens them all.",
    references=References(("I1",), ("5.1-1", "5.4-3"), ("DP",), (798, 259)),
    jobs=file_jobs,
    judge=_judge,
)
