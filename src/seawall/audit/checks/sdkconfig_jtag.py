"""JTAG in the build."""

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

_CLOSED_BY = (
    "CONFIG_SECURE_BOOT",
    "CONFIG_SECURE_BOOT_V2_ENABLED",
    "CONFIG_SECURE_FLASH_ENC_ENABLED",
    "CONFIG_FLASH_ENCRYPTION_ENABLED",
)
"""With any of them the bootloader burns the fuse that closes JTAG, unless told not to."""
_ALLOW = "CONFIG_SECURE_BOOT_ALLOW_JTAG"


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    closed_by = next((name for name in _CLOSED_BY if config.is_on(name)), None)
    if closed_by and not config.is_on(_ALLOW):
        yield Finding(Status.PASS, f"{closed_by}=y closes JTAG at the first start")
        return
    yield Finding(
        Status.FAIL,
        f"{_ALLOW}=y" if closed_by else "neither secure boot nor flash encryption closes JTAG",
        with_options(
            target,
            "Switch on secure boot, which closes JTAG at the first start.",
            "CONFIG_SECURE_BOOT=y",
            "CONFIG_SECURE_BOOT_V2_ENABLED=y",
            f"# {_ALLOW} is not set",
        ),
        location=at(target, config.line(_ALLOW, *_CLOSED_BY)),
    )


CHECK = Check(
    id="sdkconfig.jtag.open",
    title="JTAG stays open",
    item=Item.HARDWARE,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Four pins and a cheap adapter read and write all memory of the running chip, keys as "
    "well.",
    references=References(("I10",), ("5.6-3", "5.6-4"), ("LA",), (1191, 1244)),
    jobs=file_jobs,
    judge=_judge,
)
