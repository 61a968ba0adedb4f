"""Whether a listener for other machines speaks without TLS."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener
from seawall.audit.mosquitto_files import (
    KINDS,
    each_listener,
    key_of,
    line_for_this_machine,
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
    listeners = [each for each in reachable(facts) if not each.is_websockets]

    def judge(listener: Listener) -> Finding | None:
        if listener.has_tls:
            return None
        where = "on every interface" if not listener.host else f"on {listener.host}"
        return Finding(
            Status.FAIL,
            f"port {listener.port} {where} has no `certfile`: MQTT in clear",
            Fix(
                "Give devices a listener with `certfile`, `keyfile` and `cafile`; once they use "
                f"it, bind this one to this machine: `{line_for_this_machine(listener)}`.",
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    yield from each_listener(listeners, judge, "every listener for other machines has TLS")


CHECK = Check(
    id="mosquitto.transport.plaintext",
    title="A listener without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Readings, orders and passwords cross the network in clear. Whoever shares it reads "
    "them, and changes them on the way.",
    references=References(("I7", "I2"), ("5.5-1", "5.5-7"), ("DP",), (319,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
