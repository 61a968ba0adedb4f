"""Download over the serial port as burned."""

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

_CLOSED = ("DIS_DOWNLOAD_MODE", "UART_DOWNLOAD_DIS")
_RESTRICTED = "ENABLE_SECURITY_DOWNLOAD"


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    summary = summary_of(target, answers)
    found = summary.first(*_CLOSED)
    if found is None:
        yield unknown("neither DIS_DOWNLOAD_MODE nor UART_DOWNLOAD_DIS is in the summary")
        return
    restricted = summary.fields.get(_RESTRICTED)
    if found[1].is_set:
        yield Finding(Status.PASS, f"{found[0]} is burned")
    elif restricted is not None and restricted.is_set:
        yield Finding(Status.PASS, f"{_RESTRICTED} is burned: flash can be written, nothing read")
    else:
        name = found[0] if restricted is None else _RESTRICTED
        yield Finding(
            Status.FAIL,
            f"{found[0]} is not burned",
            burn(summary, "Close or restrict the ROM's download mode.", name),
            location=at(target, found[1].line),
        )


CHECK = Check(
    id="efuse.download.open",
    title="The ROM takes programs over the serial port",
    item=Item.HARDWARE,
    kinds=EFUSE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Whoever holds a pin low at power-up talks to the ROM: it reads registers and flash, and "
    "writes what it is given.",
    references=References(("I10",), ("5.6-3", "5.6-4"), ("LA",), (1191, 1299)),
    jobs=file_jobs,
    judge=_judge,
)
