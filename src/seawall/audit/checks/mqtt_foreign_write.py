"""Whether a client publishes where only another device should."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_facts import Attempt
from seawall.audit.mqtt_words import KINDS, by_hand, passed, unknown
from seawall.audit.probes.mqtt import TryForeign
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_JOB = TryForeign()
_FIX = Fix(
    "Bind each client to its own topics. In the file that `acl_file` names: "
    "`pattern write devices/%u/readings` and so on, no `topic readwrite #`, no `topic write #`; "
    "and a user name for each device (`use_identity_as_username true`)."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    attempts = answers[_JOB].own
    granted = [each for each in attempts if each.is_granted]
    if granted:
        yield _failed(target, granted)
    elif attempts and all(each.is_denied for each in attempts):
        seen = "; ".join(f"`{_short(each)}`: {each.text}" for each in attempts)
        yield passed(f"publications on topics of another device are denied ({seen})")
    else:
        yield unknown(
            "nothing came back, and MQTT 3.1.1 acknowledges what it drops: not proven either way"
        )


def _failed(target: Target, granted: list[Attempt]) -> Finding:
    seen = "; ".join(
        f"`{_short(each)}`: {each.text}" + (", delivered" if each.delivered else "")
        for each in granted
    )
    orders = any(each.topic.endswith("/commands") for each in granted)
    return Finding(
        Status.FAIL,
        f"publications on topics of a device that we are not are taken ({seen})",
        _FIX,
        severity=Severity.CRITICAL if orders else None,
        reproduce=by_hand(
            target, "mosquitto_pub", "-q", "1", "-d", "-t", "devices/nobody/commands", "-m", "{}"
        ),
    )


def _short(attempt: Attempt) -> str:
    return f"devices/seawall-audit-…/{attempt.topic.rpartition('/')[2]}"


CHECK = Check(
    id="mqtt.acl.foreign-write",
    title="A client publishes on the topics of others",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.WRITE,
    why="One stolen device then speaks for all: false readings in the name of any other, and "
    "orders to it. Proven by the reason code of MQTT 5 or by delivery, on topics of a device "
    "that does not exist.",
    references=References(("I3", "I2"), ("5.5-5",), ("LA",), (862, 863)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
