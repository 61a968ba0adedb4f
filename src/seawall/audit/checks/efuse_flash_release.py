"""Release mode of flash encryption as burned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import EFUSE, at, burn, file_jobs, summary_of, unknown
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_FIRST = ("DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE")
_LATER = ("DIS_DOWNLOAD_MANUAL_ENCRYPT",)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    summary = summary_of(target, answers)
    found = summary.first("SPI_BOOT_CRYPT_CNT", "FLASH_CRYPT_CNT")
    if found is None:
        yield unknown("neither SPI_BOOT_CRYPT_CNT nor FLASH_CRYPT_CNT is in the summary")
        return
    name, count = found
    if not count.bit_count % 2:
        yield Finding(Status.NOT_APPLICABLE, "flash encryption is off")
        return
    wanted = _FIRST if summary.is_first_generation else _LATER
    missing = [each for each in wanted if each not in summary.fields]
    if missing:
        yield unknown(f"{missing[0]} is not in the summary")
        return
    open_fuses = [each for each in wanted if not summary.fields[each].is_set]
    whole = 7 if summary.is_first_generation else 3
    is_final = count.bit_count == whole or not count.is_writeable
    if not open_fuses and is_final:
        yield Finding(Status.PASS, f"{name} is final; {', '.join(wanted)} burned")
        return
    said = [f"{each} is not burned" for each in open_fuses]
    said += [] if is_final else [f"{name} may still be burned to an even number"]
    fix = burn(summary, "Close what development left open.", *open_fuses)
    if not is_final:
        lock = f"espefuse write-protect-efuse {name}"
        text = f"{fix.text} Then lock the count: `{lock}`."
        fix = replace(fix, text=text, command=fix.command if open_fuses else lock)
    yield Finding(Status.FAIL, "; ".join(said), fix, location=at(target, count.line))


CHECK = Check(
    id="efuse.flash.development",
    title="Flash encryption is not in release mode",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="In development mode the chip encrypts over its serial port whatever it is given, and the "
    "count may be burned once more, which switches encryption off.",
    references=References(("I10",), ("5.4-1", "5.6-4"), ("DP",), (1191, 311)),
    jobs=file_jobs,
    judge=_judge,
)
