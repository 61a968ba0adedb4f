"""Whether the broker runs as root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
    setting_changes,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
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


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    setting = facts.configuration.general.find("user")
    if setting is None or setting.value != "root":
        who = setting.value[:40] if setting else "mosquitto (the default, when started by root)"
        yield Finding(Status.PASS, f"runs as {who}")
        return
    changes = setting_changes(facts, facts.configuration.general, {"user": "mosquitto"})
    yield Finding(
        Status.FAIL,
        "`user root`: the broker keeps all rights",
        Fix(
            "Let it run as its own user: `user mosquitto`. Keys and database must be that user's.",
            changes=changes,
        ),
        location=facts.at(setting),
    )


CHECK = Check(
    id="mosquitto.process.root",
    title="The broker runs as root",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="The broker is C code that strangers talk to. One fault in it, and the stranger has "
    "the machine, not the broker alone.",
    references=References(("I9", "I2"), ("5.6-7",), ("DC",), (250,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
