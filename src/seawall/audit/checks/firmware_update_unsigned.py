"""Updates that are run without a check of their signature."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    has_trait,
    settled,
    show_line,
    updaters,
)
from seawall.audit.firmware.source import Trait
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

_FIX = Fix(
    "Verify a signature over what was fetched, with a public key that is on the device from "
    "birth, before anything of it is written where it runs. Seawall's bundles do that: "
    "docs/guides/releases.md."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    scripts = updaters(facts)
    found = []
    for path, line in scripts.items():
        if has_trait(facts, Trait.VERIFIES, path):
            continue
        hashes = has_trait(facts, Trait.HASHES, path)
        also = "; a hash from the same server is no signature" if hashes else ""
        found.append(
            Finding(
                Status.FAIL,
                f"fetches code and puts it where it runs; nothing verifies a signature{also}",
                _FIX,
                confidence=Confidence.MEDIUM,
                location=Location(path, line),
                reproduce=show_line(target, path, line),
                key="unsigned",
            )
        )
    passed = f"{len(scripts)} scripts update the device, each with a check of signatures"
    return settled(
        found, facts, scripts, passed, "no code here that updates the device", by_source=True
    )


CHECK = Check(
    id="firmware.update.unsigned",
    title="Updates are run without a check of their signature",
    item=Item.UPDATES,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Whoever stands between the device and its server, or takes the server over, gives the "
    "whole fleet code of their own.",
    references=References(("I4",), ("5.3-2", "5.3-9", "5.3-10"), ("SU",), (494, 345, 347)),
    jobs=firmware_jobs,
    judge=_judge,
)
