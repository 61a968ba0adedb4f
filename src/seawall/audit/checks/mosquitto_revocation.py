"""Whether revoked certificates are refused."""

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
    files = {each.setting: each for each in facts.files("crlfile")}

    def judge(listener: Listener) -> Finding | None:
        setting = listener.find("crlfile")
        if setting is None:
            text = f"{listener.label} asks for certificates and has no `crlfile`"
        elif files[setting].reason:
            return Finding(
                Status.UNKNOWN,
                f"the revocation list cannot be read: {files[setting].reason}",
                location=facts.at(setting),
                key=key_of(listener),
            )
        else:
            return None
        return Finding(
            Status.FAIL,
            text,
            Fix(
                "Write a revocation list (`openssl ca -gencrl`, or `seawall`, which keeps one) "
                "and name it below the listener: `crlfile PATH`; reload with SIGHUP."
            ),
            location=facts.at_section(listener),
            key=key_of(listener),
        )

    text = "every listener that asks for certificates has a revocation list"
    yield from each_listener(listeners, judge, text, "no listener asks for certificates")


CHECK = Check(
    id="mosquitto.tls.revocation",
    title="Revoked certificates are accepted",
    item=Item.MANAGEMENT,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A device that was stolen or sold keeps its certificate. Without a revocation list it "
    "stays a member of the fleet until that expires, ten years on.",
    references=References(("I8", "I2"), ("5.5-8",), ("DI",), (299,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
