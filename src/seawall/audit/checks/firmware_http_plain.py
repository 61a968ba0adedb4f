"""HTTP without TLS."""

from __future__ import annotations

from seawall.audit.check import Check
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, judge_spots
from seawall.audit.firmware.source import Weakness
from seawall.model.finding import Fix, Item, References, Risk, Severity

_FIX = Fix("Use https:// with a context that verifies the server (`tls.CERT_REQUIRED` and its CA).")

CHECK = Check(
    id="firmware.http.plain",
    title="Data goes over HTTP without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Everybody on the way reads what the device sends, tokens as well, and answers in the "
    "name of the server.",
    references=References(("I7",), ("5.5-1", "5.8-1"), ("DP",), (319,)),
    jobs=firmware_jobs,
    judge=judge_spots(Weakness.PLAIN_HTTP, _FIX, "no HTTP request without TLS"),
)
