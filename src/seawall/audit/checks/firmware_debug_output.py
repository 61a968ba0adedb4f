"""Debug output of the system."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIX = Fix("Switch it off in what is shipped: `esp.osdebug(None)`.")

CHECK = Check(
    id="firmware.debug.output",
    title="Debug output is switched on",
    item=Item.DEFAULTS,
    kinds=FIRMWARE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="Debug output tells who holds the board names, addresses and states that they would have "
    "to guess.",
    references=References(("I9", "I10"), ("5.6-2", "5.6-4"), ("DC",), (215, 489)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.DEBUG_OUTPUT,
        _FIX,
        "no debug output is switched on",
        "no program of a device's board here",
    ),
)
