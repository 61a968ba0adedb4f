"""Whether a broker bounds what one client has under way."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, passed, unknown
from seawall.audit.probes.mqtt import Listen
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status
from seawall.wire.mqtt.codes import V5, Property

_JOB = Listen()
_DEFAULT = 65_535
"""What holds without the property (MQTT 5.0, 3.2.2.3.3)."""
_FIX = Fix(
    "Bound what is under way for one client. In mosquitto.conf: `max_inflight_messages 20` "
    "(0 stands for no limit)."
)


def _judge(_: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_JOB].greeting
    if greeting.version != V5:
        yield unknown("MQTT 3.1.1 does not tell how many messages may be under way")
    else:
        maximum = greeting.number(Property.RECEIVE_MAXIMUM) or _DEFAULT
        if maximum >= _DEFAULT:
            text = f"CONNACK allows {maximum} unacknowledged messages of one client"
            yield Finding(Status.FAIL, text, _FIX)
        else:
            yield passed(f"CONNACK allows {maximum} unacknowledged messages of one client")


CHECK = Check(
    id="mqtt.limits.in-flight",
    title="No bound on messages under way",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.INFO,
    risk=Risk.LOGIN,
    why="A client that never finishes what it began fills the broker's memory with up to 65,535 "
    "messages of any size.",
    references=References(("I2",), ("5.9-1",), ("LA",), (770,)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
