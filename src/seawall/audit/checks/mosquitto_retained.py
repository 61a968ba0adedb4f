"""Whether retained messages outlive the right to publish them."""

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
    general = facts.configuration.general
    setting = general.find("check_retain_source")
    if setting is None or setting.flag is not False or not general.flag("retain_available", True):
        yield Finding(Status.PASS, "retained messages are dropped with their sender's right")
        return
    yield Finding(
        Status.FAIL,
        "`check_retain_source false`: what a revoked sender left is still delivered",
        Fix(
            "Check it: `check_retain_source true`.",
            changes=setting_changes(facts, general, {"check_retain_source": "true"}),
        ),
        location=facts.at(setting),
    )


CHECK = Check(
    id="mosquitto.retained.source",
    title="Retained messages of revoked senders",
    item=Item.MANAGEMENT,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="An order that a stolen device left retained reaches each device that connects, long "
    "after the thief was locked out.",
    references=References(("I8", "I3"), ("5.5-5",), ("LA",), (613,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
