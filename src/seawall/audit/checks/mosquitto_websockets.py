"""Whether WebSockets are offered without TLS."""

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
    listeners = [each for each in reachable(facts) if each.is_websockets]

    def judge(listener: Listener) -> Finding | None:
        if listener.has_tls:
            return None
        return Finding(
            Status.FAIL,
            f"`protocol websockets` at port {listener.port} without `certfile`",
            Fix(
                "Give it `certfile` and `keyfile`; or put a proxy that ends TLS before it, and "
                f"bind it to this machine: `{line_for_this_machine(listener)}`.",
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    text = "every WebSocket listener for other machines has TLS"
    yield from each_listener(listeners, judge, text, "no WebSocket listener for other machines")


CHECK = Check(
    id="mosquitto.transport.websockets",
    title="WebSockets without TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Browsers send user name and password in clear, and any page that a user visits may "
    "open such a connection from within the network.",
    references=References(("I7", "I3"), ("5.5-1",), ("DP",), (319, 1385)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
