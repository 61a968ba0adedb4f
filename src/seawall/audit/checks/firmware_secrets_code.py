"""Secrets that are written in source code."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    settled,
    show_line,
)
from seawall.audit.firmware.python_code import is_bench_only
from seawall.audit.target import Target
from seawall.model.finding import (
    Confidence,
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)

_PYTHON_FIX = Fix(
    "Read it at run time from a file that is not source and only its owner reads (mode 0600): "
    "`json.load(open('secrets.json'))[NAME]`. Then change it wherever it is used: whoever had "
    "this code knows it."
)
_C_FIX = Fix(
    "Provision it at run time and keep it in encrypted NVS: `Preferences.getString(NAME)` on "
    "Arduino, `nvs_get_str()` on ESP-IDF. Then change it wherever it is used: whoever had this "
    "code, or reads the flash, knows it."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = [
        Finding(
            Status.FAIL,
            f"{literal} stands in the code",
            _PYTHON_FIX if path.endswith(".py") else _C_FIX,
            severity=Severity.CRITICAL if literal.is_default else None,
            confidence=Confidence.MEDIUM if is_bench_only(path) else Confidence.HIGH,
            location=Location(path, literal.line),
            reproduce=show_line(target, path, literal.line),
            key=literal.name,
        )
        for path, source in facts.sources.items()
        for literal in source.literals
    ]
    passed = f"{len(facts.sources)} source files, no password, key or token in them"
    return settled(found, facts, facts.sources, passed, "no source code here", by_source=True)


CHECK = Check(
    id="firmware.secrets.code",
    title="Passwords or keys are written in the code",
    item=Item.PASSWORDS,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Code is copied, published and read out of flash. A password in it opens every device "
    "that runs it, and cannot be changed without a new release.",
    references=References(("I1",), ("5.1-1", "5.4-3"), ("DP",), (798, 259)),
    jobs=firmware_jobs,
    judge=_judge,
)
