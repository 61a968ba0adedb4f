"""Whether ``#`` brings the messages of everybody."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.mqtt_reading import denial
from seawall.audit.mqtt_words import KINDS, by_hand, passed, topics_text, unknown
from seawall.audit.probes.mqtt import LISTEN_S, Listen, TryForeign
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_LISTEN = Listen()
_FOREIGN = TryForeign()
_FIX = Fix(
    "Grant no client `#`. In the file that `acl_file` names: `pattern read devices/%u/commands` "
    "for devices, and a named user with `topic read devices/#` for who has to see all."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    heard = answers[_LISTEN]
    foreign = heard.foreign
    if foreign:
        count = f"{len(foreign)} or more" if heard.cut else str(len(foreign))
        yield Finding(
            Status.FAIL,
            f"`#` brought {count} messages of others within {LISTEN_S:g} s, on "
            + topics_text([each.topic for each in foreign]),
            _FIX,
            reproduce=by_hand(target, "mosquitto_sub", "-t", "#", "-v", "-W", "5"),
        )
    elif heard.everything is None or heard.everything >= 0x80:
        code = "the connection is closed" if heard.everything is None else "SUBACK refuses"
        yield passed(f"`#` is denied: {code}")
    else:
        yield _by_delivery(answers)


def _by_delivery(answers: Answers) -> Finding:
    try:
        seen = answers[_FOREIGN]
    except Unobserved as nothing:
        return unknown(f"`#` is granted and brought nothing; by delivery: {nothing.reason}")
    if any(each.delivered for each in (*seen.own, *(seen.other or ()))):
        return Finding(Status.FAIL, "`#` is granted, and foreign topics are delivered", _FIX)
    why = denial(seen)
    if why is None:
        return unknown("`#` is granted and brought nothing: a quiet broker, or an ACL")
    return passed(f"`#` is granted and brings nothing of others: {why}")


CHECK = Check(
    id="mqtt.acl.wildcard-read",
    title="A client subscribes to everything",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.WRITE,
    why="One subscription to `#` shows all devices, their readings and their orders: a map of the "
    "fleet, and when nobody is at home.",
    references=References(("I3", "I6"), ("5.5-5",), ("LA",), (862, 200)),
    jobs=lambda _: [_LISTEN, _FOREIGN],
    judge=_judge,
)
