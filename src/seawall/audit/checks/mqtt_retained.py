"""Whether retained messages of others can be read."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, by_hand, passed, topics_text
from seawall.audit.probes.mqtt import Listen
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
    "Let clients read their own topics alone (`pattern read devices/%u/commands` in the file "
    "that `acl_file` names), and delete what need not be kept: "
    "`mosquitto_pub -r -n -t TOPIC`, or `retain_available false` where nothing is."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    heard = answers[_JOB]
    kept = [each for each in heard.foreign if each.retained]
    if kept:
        count = f"{len(kept)} or more" if heard.cut else str(len(kept))
        yield Finding(
            Status.FAIL,
            f"{count} retained messages of others, on " + topics_text([e.topic for e in kept]),
            _FIX,
            reproduce=by_hand(
                target, "mosquitto_sub", "-t", "#", "-v", "--retained-only", "-W", "5"
            ),
        )
    elif heard.everything is None or heard.everything >= 0x80:
        yield passed("a subscription to `#` is refused")
    else:
        text = "`#` brought no retained message of others"
        yield Finding(Status.PASS, text, confidence=Confidence.MEDIUM)


CHECK = Check(
    id="mqtt.retained.foreign",
    title="Retained messages of others can be read",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.LOGIN,
    why="Retained messages wait for whoever subscribes: names, places and configurations of "
    "devices, passwords among them, years after somebody sent them once.",
    references=References(("I3", "I6"), ("5.5-5", "5.11-1"), ("DP",), (200, 862)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
