"""Shells and file servers for debugging."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Language, Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIXES = {
    Language.PYTHON: Fix(
        "Take it out of what is shipped; on the bench use the serial port (`mpremote`). What comes "
        "over the network is looked up in a table of known orders, never run."
    ),
    Language.ARDUINO: Fix("Take it out of what is shipped; on the bench use `Serial`."),
    Language.ESP_IDF: Fix("Take it out of what is shipped; on the bench use `idf.py monitor`."),
}

CHECK = Check(
    id="firmware.debug.shell",
    title="A debug shell is open to the network",
    item=Item.SERVICES,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A shell for debugging is a shell for everybody on the network: it reads keys, changes "
    "code and stays when the bench is gone.",
    references=References(("I2", "I9"), ("5.6-1", "5.6-4"), ("LA",), (489, 306)),
    jobs=firmware_jobs,
    judge=judge_spots(
        Weakness.DEBUG_SHELL,
        _FIXES,
        "no debug shell or file server",
        "no code here that goes on a network",
    ),
)
