"""WebREPL: a Python prompt over the network."""

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
from seawall.audit.firmware.source import Weakness
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)

_STORED = frozenset({"webrepl_cfg.py", "webrepl_cfg.mpy"})
_FIX = Fix(
    "Remove `import webrepl` and `webrepl.start()`, and the file webrepl_cfg.py; on the bench use "
    "the serial port (`mpremote`)."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = [
        Finding(
            Status.FAIL,
            spot.evidence,
            _FIX,
            location=Location(path, spot.line),
            reproduce=show_line(target, path, spot.line),
            key=spot.key,
        )
        for path, source in facts.sources.items()
        for spot in source.spots
        if spot.weakness is Weakness.WEBREPL
    ]
    found += [
        Finding(
            Status.FAIL,
            f"{file.name} stores WebREPL's password, of at most 9 characters, in plain text",
            _FIX,
            severity=Severity.HIGH if found else Severity.MEDIUM,
            location=Location(path),
            key="webrepl_cfg",
        )
        for path, file in facts.files.items()
        if file.name in _STORED
    ]
    applies = [path for path in facts.files if path.endswith((".py", ".mpy"))]
    return settled(
        found, facts, applies, "WebREPL is not started", "no Python code here", by_source=True
    )


CHECK = Check(
    id="firmware.webrepl.enabled",
    title="WebREPL is enabled",
    item=Item.SERVICES,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="WebREPL gives a Python prompt and the files to whoever knows one short password, which "
    "crosses the network in plain text: extmod/modwebrepl.c keeps 9 characters of it.",
    references=References(("I2", "I9"), ("5.6-1", "5.6-4"), ("LA",), (319, 521)),
    jobs=firmware_jobs,
    judge=_judge,
)
