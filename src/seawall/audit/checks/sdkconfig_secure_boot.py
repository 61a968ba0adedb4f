"""Secure boot in the build."""

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
    if config.is_on("CONFIG_SECURE_BOOT_V2_ENABLED") and not config.is_on(
        "CONFIG_SECURE_BOOT_INSECURE"
    ):
        yield Finding(Status.PASS, "CONFIG_SECURE_BOOT_V2_ENABLED=y")
        return
    if config.is_on("CONFIG_SECURE_BOOT_V1_ENABLED"):
        said = "secure boot is of version 1, which glitches have passed (CVE-2019-15894)"
    elif config.is_on("CONFIG_SECURE_BOOT_INSECURE"):
        said = "CONFIG_SECURE_BOOT_INSECURE=y: secure boot with its protections left open"
    else:
        said = "CONFIG_SECURE_BOOT_V2_ENABLED is not set"
    yield Finding(
        Status.FAIL,
        said,
        with_options(
            target,
            "Switch on secure boot of version 2 (of the ESP32 since revision 3) and keep the "
            "signing key off the build machine.",
            "CONFIG_SECURE_BOOT=y",
            "CONFIG_SECURE_BOOT_V2_ENABLED=y",
            "# CONFIG_SECURE_BOOT_V1_ENABLED is not set",
            "# CONFIG_SECURE_BOOT_INSECURE is not set",
        ),
        location=at(target, config.line("CONFIG_SECURE_BOOT_V2_ENABLED", "CONFIG_SECURE_BOOT")),
    )


CHECK = Check(
    id="sdkconfig.boot.unsigned",
    title="The chip boots programs that nobody signed",
    item=Item.HARDWARE,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Who holds the board writes a program of their own into its flash, and the chip runs it: "
    "keys, readings and the device's identity are theirs.",
    references=References(("I10",), ("5.7-1", "5.3-9"), ("SU",), (1326, 347)),
    jobs=file_jobs,
    judge=_judge,
)
