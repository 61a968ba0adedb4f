"""Whether clients read the broker's own statistics."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, by_hand, passed, topics_text, unknown
from seawall.audit.probes.mqtt import LISTEN_S, Listen
from seawall.audit.target import Target
from seawall.model.finding import (
    Confidence,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_JOB = Listen()
_FIX = Fix(
    "Keep the statistics from clients. In mosquitto.conf: `sys_interval 0`, or an `acl_file`, "
    "with `topic read $SYS/#` below `user monitor` alone: without a line for it nobody reads them."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    heard = answers[_JOB]
    system = [each for each in heard.messages if each.topic.startswith("$SYS/")]
    if system:
        yield Finding(
            Status.FAIL,
            f"{len(system)} messages below `$SYS`, such as "
            + topics_text([each.topic for each in system]),
            _FIX,
            reproduce=by_hand(target, "mosquitto_sub", "-t", "$SYS/#", "-v", "-W", "5"),
        )
    elif heard.system is None and heard.everything is None:
        yield unknown("the broker closed the connection at `#`: `$SYS/#` could not be asked for")
    elif heard.system is None or heard.system >= 0x80:
        yield passed("a subscription to `$SYS/#` is refused")
    else:
        text = f"`$SYS/#` is granted and brought nothing within {LISTEN_S:g} s"
        yield Finding(Status.PASS, text, confidence=Confidence.MEDIUM)


CHECK = Check(
    id="mqtt.acl.system-topics",
    title="A client reads $SYS",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.LOGIN,
    why="`$SYS` tells the broker's exact version, how many clients there are and how busy it is: "
    "which exploit to bring, and whether a flood has worked.",
    references=References(("I2",), ("5.6-2",), ("LA",), (200, 497)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
