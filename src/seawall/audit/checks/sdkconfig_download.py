"""Download over the serial port in the build."""

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

_SECURE = ("CONFIG_SECURE_DISABLE_ROM_DL_MODE", "CONFIG_SECURE_ENABLE_SECURE_ROM_DL_MODE")
_ALLOW = "CONFIG_SECURE_INSECURE_ALLOW_DL_MODE"


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    chosen = next((name for name in _SECURE if config.is_on(name)), None)
    if chosen:
        yield Finding(Status.PASS, f"{chosen}=y")
        return
    yield Finding(
        Status.FAIL,
        f"{_ALLOW}=y" if config.is_on(_ALLOW) else f"neither {_SECURE[0]} nor {_SECURE[1]} is set",
        with_options(
            target,
            "Close the ROM's download mode, or restrict it (on the ESP32 since revision 3).",
            f"# {_ALLOW} is not set",
            f"{_SECURE[0]}=y",
        ),
        location=at(target, config.line(_ALLOW, *_SECURE)),
    )


CHECK = Check(
    id="sdkconfig.download.open",
    title="The ROM takes programs over the serial port",
    item=Item.HARDWARE,
    kinds=SDKCONFIG,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Whoever holds a pin low at power-up talks to the ROM: it reads registers and flash, and "
    "writes what it is given.",
    references=References(("I10",), ("5.6-3", "5.6-4"), ("LA",), (1191, 1299)),
    jobs=file_jobs,
    judge=_judge,
)
