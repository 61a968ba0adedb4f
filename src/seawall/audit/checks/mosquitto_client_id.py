"""Whether a client id belongs to an identity."""

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
    listeners = reachable(facts)

    def judge(listener: Listener) -> Finding | None:
        if listener.flag("use_username_as_clientid"):
            return None
        by_certificate = listener.takes_name_from_certificate
        changes = setting_changes(facts, listener, {"use_username_as_clientid": "true"})
        return Finding(
            Status.FAIL,
            f"clients of {listener.label} choose their client id",
            Fix(
                "Make the user name the client id: `use_username_as_clientid true`. Each device "
                "needs a name of its own for that.",
                changes=changes if by_certificate else (),
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    yield from each_listener(listeners, judge, "the user name is the client id")


CHECK = Check(
    id="mosquitto.session.client-id",
    title="A client id is anybody's",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="Who connects with another device's client id ends its session and keeps it off line, "
    "and may be handed the messages that wait for it.",
    references=References(("I3",), ("5.5-5", "5.9-1"), ("DI",), (287, 384)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
