"""JTAG as burned."""

from __future__ import annotations

from collections.abc import Iterable

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

_PINS = ("JTAG_DISABLE", "HARD_DIS_JTAG", "DIS_PAD_JTAG")
_USB = "DIS_USB_JTAG"
_SOFT = "SOFT_DIS_JTAG"


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    summary = summary_of(target, answers)
    pins = summary.first(*_PINS)
    if pins is None:
        yield unknown("no fuse of JTAG is in the summary")
        return
    soft = summary.fields.get(_SOFT)
    is_soft = soft is not None and soft.bit_count % 2 == 1
    wanted = [pins[0]] + ([_USB] if _USB in summary.fields else [])
    still_open = [name for name in wanted if not summary.fields[name].is_set]
    if is_soft:
        still_open = [name for name in still_open if name == _USB]
    if not still_open:
        closed = f"{_SOFT} is odd" if is_soft else ", ".join(wanted) + " burned"
        yield Finding(Status.PASS, f"JTAG is closed: {closed}")
        return
    yield Finding(
        Status.FAIL,
        ", ".join(still_open) + " not burned",
        burn(summary, "Close JTAG.", *still_open),
        location=at(target, summary.fields[still_open[0]].line),
    )


CHECK = Check(
    id="efuse.jtag.open",
    title="JTAG is open",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Four pins, or the USB plug, and a debugger read and write all memory of the running chip, "
    "keys as well.",
    references=References(("I10",), ("5.6-3", "5.6-4"), ("LA",), (1191, 1244)),
    jobs=file_jobs,
    judge=_judge,
)
