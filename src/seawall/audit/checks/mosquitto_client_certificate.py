"""Whether clients have to show a certificate."""

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
    listeners = [each for each in reachable(facts) if each.has_tls and not each.is_websockets]

    def judge(listener: Listener) -> Finding | None:
        if listener.wants_certificate or listener.has_psk:
            return None
        has_ca = listener.find("cafile") or listener.find("capath")
        return Finding(
            Status.FAIL,
            f"{listener.label} asks no certificate of clients (`require_certificate`)",
            Fix(
                "Ask for one: `cafile` with the authority of the devices, `require_certificate "
                "true` and `use_identity_as_username true`. Devices without one stay out then, so "
                "give them theirs before.",
            ),
            severity=Severity.MEDIUM if has_ca else None,
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    text = "every TLS listener for other machines asks for a certificate, or a shared key"
    yield from each_listener(listeners, judge, text, "no TLS listener for other machines")


CHECK = Check(
    id="mosquitto.tls.client-certificate",
    title="Clients need no certificate",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="A password is what a device tells everybody who asks in the broker's name. A key "
    "never leaves it, and a certificate can be revoked one by one.",
    references=References(("I2", "I1"), ("5.5-4", "5.5-5"), ("LA",), (287, 308)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
