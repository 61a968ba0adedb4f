"""Flash encryption in the build."""

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
    enabled = ("CONFIG_SECURE_FLASH_ENC_ENABLED", "CONFIG_FLASH_ENCRYPTION_ENABLED")
    release = "CONFIG_SECURE_FLASH_ENCRYPTION_MODE_RELEASE"
    is_enabled = any(map(config.is_on, enabled))
    if is_enabled and config.is_on(release):
        yield Finding(Status.PASS, f"{release}=y")
        return
    said = (
        f"flash encryption is in development mode: {release} is not set"
        if is_enabled
        else f"{enabled[0]} is not set"
    )
    yield Finding(
        Status.FAIL,
        said,
        with_options(
            target,
            "Encrypt the flash, in release mode.",
            f"{enabled[0]}=y",
            "# CONFIG_SECURE_FLASH_ENCRYPTION_MODE_DEVELOPMENT is not set",
            f"{release}=y",
        ),
        location=at(target, config.line(release, *enabled)),
    )


CHECK = Check(
    id="sdkconfig.flash.plain",
    title="The flash is not encrypted in release mode",
    item=Item.HARDWARE,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Flash is read out with a clip in a minute: Wi-Fi passwords, keys and the program. In "
    "development mode the chip still encrypts whatever is sent over its serial port.",
    references=References(("I10",), ("5.4-1",), ("DP",), (311, 1191)),
    jobs=file_jobs,
    judge=_judge,
)
