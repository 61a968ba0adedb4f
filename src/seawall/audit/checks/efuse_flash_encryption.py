"""Flash encryption as burned."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import EFUSE, at, file_jobs, summary_of, unknown
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
    "Build with CONFIG_SECURE_FLASH_ENC_ENABLED=y and "
    "CONFIG_SECURE_FLASH_ENCRYPTION_MODE_RELEASE=y and flash the bootloader: it makes the key "
    "and burns the fuses at its first start."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    found = summary_of(target, answers).first("SPI_BOOT_CRYPT_CNT", "FLASH_CRYPT_CNT")
    if found is None:
        yield unknown("neither SPI_BOOT_CRYPT_CNT nor FLASH_CRYPT_CNT is in the summary")
        return
    name, fuse = found
    count = f"{name} has {fuse.bit_count} bits burned"
    if fuse.bit_count % 2:
        yield Finding(Status.PASS, f"{count}, an odd number: encryption is on")
    else:
        said = f"{count}, an even number: encryption is off"
        yield Finding(Status.FAIL, said, _FIX, location=at(target, fuse.line))


CHECK = Check(
    id="efuse.flash.plain",
    title="The flash is not encrypted",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Flash is read out with a clip in a minute: Wi-Fi passwords, keys and the program.",
    references=References(("I10",), ("5.4-1",), ("DP",), (311,)),
    jobs=file_jobs,
    judge=_judge,
)
