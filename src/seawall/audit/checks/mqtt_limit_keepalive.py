"""Whether a client may stay silent for ever."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, passed, unknown
from seawall.audit.probes.mqtt import Listen
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status
from seawall.wire.mqtt.codes import V5, Property

_JOB = Listen()
_SOUND_S = 3600
_FIX = Fix(
    "Let the broker set a keep-alive (MQTT 5: Server Keep Alive). In mosquitto.conf: "
    "`max_keepalive 300`."
)


def _judge(_: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_JOB].greeting
    if greeting.version != V5:
        yield unknown("MQTT 3.1.1 does not tell which keep-alive holds")
        return
    keep_alive = greeting.number(Property.SERVER_KEEP_ALIVE)
    if keep_alive is None or keep_alive == 0:
        yield Finding(Status.FAIL, "keep-alive 0 (for ever) is accepted as asked for", _FIX)
    elif keep_alive > _SOUND_S:
        yield Finding(Status.FAIL, f"the broker sets a keep-alive of {keep_alive} s", _FIX)
    else:
        yield passed(f"keep-alive 0 is answered by {keep_alive} s")


CHECK = Check(
    id="mqtt.limits.keep-alive",
    title="A connection may stay silent for ever",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.INFO,
    risk=Risk.LOGIN,
    why="Connections that need not say anything cost an attacker nothing and the broker a place "
    "each, and a device that lost its power is not noticed.",
    references=References(("I2",), ("5.9-1",), ("LA",), (400,)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
