"""Whether a listener bounds its connections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener
from seawall.audit.mosquitto_files import (
    KINDS,
    each_listener,
    key_of,
    reachable,
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
    whole = facts.configuration.general.find("global_max_connections")

    def judge(listener: Listener) -> Finding | None:
        setting = listener.find("max_connections") or whole
        if setting is not None and (setting.number or 0) > 0:
            return None
        return Finding(
            Status.FAIL,
            f"{listener.label} takes any number of connections",
            Fix(
                "Bound them to a little more than there are devices: `max_connections 1000`.",
                changes=setting_changes(facts, listener, {"max_connections": "1000"}),
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    yield from each_listener(reachable(facts), judge, "every listener bounds its connections")


CHECK = Check(
    id="mosquitto.limits.connections",
    title="Any number of connections",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="Connections cost a sender nothing and the broker memory and a file each. Whoever "
    "opens enough of them shuts devices out.",
    references=References(("I9", "I2"), ("5.9-1",), ("DC",), (770,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
