"""Which TLS versions the listeners speak."""

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

_SOUND = {"tlsv1.2", "tlsv1.3"}


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    listeners = [each for each in over_tcp(facts) if each.has_tls]

    def judge(listener: Listener) -> Finding | None:
        setting = listener.find("tls_version")
        if setting is None or setting.value in _SOUND:
            return None
        return Finding(
            Status.FAIL,
            f"`tls_version {setting.value[:20]}` at {listener.label}",
            Fix(
                "Speak TLS 1.2 and later: `tls_version tlsv1.2`.",
                changes=setting_changes(facts, listener, {"tls_version": "tlsv1.2"}),
            ),
            location=facts.at(setting),
            key=key_of(listener),
        )

    text = "TLS 1.2 and later (Mosquitto 2.0 offers no older one unless told to)"
    yield from each_listener(listeners, judge, text, "no listener has TLS")


CHECK = Check(
    id="mosquitto.tls.version",
    title="An outdated TLS version",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="TLS 1.0 and 1.1 stand on SHA-1 and MD5, and RFC 8996 forbids them. Who can make a "
    "device speak them has an easier lock to pick.",
    references=References(("I7",), ("5.5-1", "5.5-3"), ("DP",), (326, 327)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
