"""Whether the certificate says who a client is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener
from seawall.audit.mosquitto_files import (
    KINDS,
    each_listener,
    key_of,
    over_tcp,
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
    listeners = [each for each in over_tcp(facts) if each.wants_certificate]

    def judge(listener: Listener) -> Finding | None:
        if listener.takes_name_from_certificate:
            return None
        return Finding(
            Status.FAIL,
            f"{listener.label} asks for a certificate and does not take the user name from it",
            Fix(
                "Take the name from the certificate: `use_identity_as_username true`.",
                changes=setting_changes(facts, listener, {"use_identity_as_username": "true"}),
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    text = "the certificate's name is the user name"
    yield from each_listener(listeners, judge, text, "no listener asks for certificates")


CHECK = Check(
    id="mosquitto.tls.identity",
    title="The certificate is not the identity",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Any certificate of the fleet opens the door, and then the client says which name it "
    "has. One stolen device is all devices.",
    references=References(("I3",), ("5.5-5",), ("DI",), (287,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
