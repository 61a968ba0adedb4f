"""Secure boot as burned."""

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
    "Build with CONFIG_SECURE_BOOT=y and CONFIG_SECURE_BOOT_V2_ENABLED=y and flash the "
    "bootloader: it burns digest and fuse at its first start. By hand, a mistake locks the chip."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    summary = summary_of(target, answers)
    found = summary.first("SECURE_BOOT_EN", "ABS_DONE_1")
    if found is None:
        yield unknown("neither SECURE_BOOT_EN nor ABS_DONE_1 is in the summary")
        return
    name, fuse = found
    first = summary.fields.get("ABS_DONE_0")
    if fuse.is_set:
        yield Finding(Status.PASS, f"{name} is burned")
        return
    is_old = first is not None and first.is_set
    said = f"{name} is not burned" + (": secure boot of version 1 only" if is_old else "")
    yield Finding(
        Status.FAIL,
        said,
        _FIX,
        severity=Severity.MEDIUM if is_old else None,
        location=at(target, fuse.line),
    )


CHECK = Check(
    id="efuse.boot.unsigned",
    title="The chip boots programs that nobody signed",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Who holds the board writes a program of their own into its flash, and the chip runs it: "
    "keys, readings and the device's identity are theirs.",
    references=References(("I10",), ("5.7-1", "5.3-9"), ("SU",), (1326, 347)),
    jobs=file_jobs,
    judge=_judge,
)
