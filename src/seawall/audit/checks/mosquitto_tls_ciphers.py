"""Which ciphers the listeners offer."""

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

SOUND = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
_WEAK = ("NULL", "EXP", "RC4", "RC2", "DES", "MD5", "ADH", "LOW", "SECLEVEL=0", "IDEA", "SEED")
_ALL = {"ALL", "COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT"}


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    listeners = [each for each in over_tcp(facts) if each.has_tls]

    def judge(listener: Listener) -> Finding | None:
        setting = listener.find("ciphers")
        weak = _weak(setting.value) if setting else []
        if setting is None or not weak:
            return None
        return Finding(
            Status.FAIL,
            f"`ciphers` of {listener.label} offers {', '.join(weak[:5])}",
            Fix(
                "Offer ephemeral keys and authenticated encryption alone, as the change does.",
                changes=setting_changes(facts, listener, {"ciphers": SOUND}),
            ),
            location=facts.at(setting),
            key=key_of(listener),
        )

    text = "no listener offers weak ciphers"
    yield from each_listener(listeners, judge, text, "no listener has TLS")


def _weak(text: str) -> list[str]:
    """Return what a list in OpenSSL's form offers of what is weak (`ciphers(1)`)."""
    words = [each for part in text.upper().split(":") for each in part.replace(",", " ").split()]
    banned = {word[1:] for word in words if word[:1] in {"!", "-"}}
    offered = [word for word in words if word[:1] not in {"!", "-", "+"}]
    return [
        word
        for word in offered
        if any(each in word for each in _WEAK) or (word in _ALL and not {"ANULL", "ADH"} & banned)
    ]


CHECK = Check(
    id="mosquitto.tls.ciphers",
    title="Weak ciphers",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A list that somebody once widened for an old device is what an attacker asks for: "
    "RC4, 3DES, anonymous or no encryption at all.",
    references=References(("I7",), ("5.5-1", "5.5-3"), ("DP",), (327,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
