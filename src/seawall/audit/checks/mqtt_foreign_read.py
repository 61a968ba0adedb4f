"""Whether a client gets what is meant for another device, or comes from it."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_reading import foreign_reading
from seawall.audit.mqtt_words import KINDS, by_hand
from seawall.audit.probes.mqtt import TryForeign
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity

_JOB = TryForeign()
_FIX = Fix(
    "Let each client read its own topics alone. In the file that `acl_file` names: "
    "`pattern read devices/%u/commands`, no `topic read #`, no `topic #`. A broker that grants "
    "the subscription and drops the messages is right as well."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    yield foreign_reading(
        answers[_JOB],
        _FIX,
        by_hand(target, "mosquitto_sub", "-t", "devices/+/readings", "-v", "-W", "60"),
    )


CHECK = Check(
    id="mqtt.acl.foreign-read",
    title="A client reads the topics of others",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.WRITE,
    why="One stolen device, or one curious customer, then follows the whole fleet. SUBACK proves "
    "nothing, since Mosquitto grants any filter: a message has to arrive, or has to stay out "
    "although it was taken.",
    references=References(("I3", "I6"), ("5.5-5",), ("LA",), (862, 200)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
