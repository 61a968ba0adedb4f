"""Updates that are fetched over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.judging import (
    FIRMWARE,
    fetches_from_elsewhere,
    firmware_jobs,
    firmware_of,
    settled,
    show_line,
    updaters,
)
from seawall.audit.firmware.source import Trait
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

_FIX = Fix("Fetch updates over https:// from a server whose certificate is verified.")


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    scripts = updaters(facts)
    found = []
    for path in scripts:
        line = facts.sources[path].traits.get(Trait.FETCHES_PLAIN)
        if line is not None:
            found.append(
                Finding(
                    Status.FAIL,
                    "code for the device is fetched over http://",
                    _FIX,
                    location=Location(path, line),
                    reproduce=show_line(target, path, line),
                    key="http",
                )
            )
    elsewhere = [path for path in scripts if fetches_from_elsewhere(facts, path)]
    if elsewhere and not found and not facts.unparsed:
        path = elsewhere[0]
        said = "updates the device, and where it fetches from is decided elsewhere"
        return [Finding(Status.UNKNOWN, said, location=Location(path, scripts[path]))]
    passed = f"{len(scripts)} scripts update the device, none over plain HTTP"
    return settled(
        found, facts, scripts, passed, "no code here that updates the device", by_source=True
    )


CHECK = Check(
    id="firmware.update.plain",
    title="Updates are fetched over plain HTTP",
    item=Item.UPDATES,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Anybody in the same network can answer in the name of the update server, and see which "
    "version, with which holes, each device runs.",
    references=References(("I4", "I7"), ("5.3-2", "5.3-10"), ("SU",), (319, 494)),
    jobs=firmware_jobs,
    judge=_judge,
)
