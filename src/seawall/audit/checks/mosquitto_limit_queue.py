"""Whether queues and sessions are bounded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
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

_WANTED = {"max_queued_messages": "1000", "max_inflight_messages": "20"}


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    general = facts.configuration.general
    failed = False
    for name, value in _WANTED.items():
        setting = general.find(name)
        if setting is not None and setting.number == 0:
            failed = True
            yield _failed(facts, name, value, f"`{name} 0` stands for any number")
    if general.flag("persistence") and not general.find("persistent_client_expiration"):
        failed = True
        text = "sessions of clients that never come back are kept for ever"
        yield _failed(facts, "persistent_client_expiration", "14d", text)
    if not failed:
        yield Finding(Status.PASS, "queues and sessions are bounded")


def _failed(facts: BrokerFiles, name: str, value: str, text: str) -> Finding:
    general = facts.configuration.general
    setting = general.find(name)
    return Finding(
        Status.FAIL,
        text,
        Fix(f"Set `{name} {value}`.", changes=setting_changes(facts, general, {name: value})),
        location=facts.at(setting) if setting else facts.at_section(general),
        key=name,
    )


CHECK = Check(
    id="mosquitto.limits.queue",
    title="Unbounded queues or sessions",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="What waits for clients that are away fills memory and disk. A client that "
    "subscribes, leaves, and comes back under a new id does it on purpose.",
    references=References(("I9", "I2"), ("5.9-1",), ("DC",), (770,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
