"""Whether payloads that the audit's identity sees carry data of persons."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, passed, topics_text, unknown
from seawall.audit.personal_data import Sign, personal_data
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
_REFUSED = 0x80
_FIX = Fix(
    "Send what the service needs and no more: leave the field out, replace it by a random "
    "number that only the server can resolve, or round it (a place to two decimals)."
)


def _judge(_: Target, answers: Answers) -> Iterable[Finding]:
    heard = answers[_JOB]
    messages = [each for each in heard.messages if not each.topic.startswith("$")]
    signs: dict[Sign, list[str]] = {}
    for message in messages:
        for sign in personal_data(message.payload):
            signs.setdefault(sign, []).append(message.topic)
    for sign, topics in sorted(signs.items()):
        field = f"field `{sign.field}`" if sign.field else "the text"
        yield Finding(
            Status.FAIL,
            f"{sign.kind} in {field} on {topics_text(topics)}",
            _FIX,
            confidence=Confidence.HIGH if sign.is_proven else Confidence.MEDIUM,
            key=f"{sign.kind}:{sign.field}",
        )
    if not signs and messages:
        yield passed(f"{len(messages)} messages, none with a sign of personal data")
    elif not signs and heard.everything is not None and heard.everything >= _REFUSED:
        # What the fleet sends is then asked of whoever may read it: the store, for one.
        words = "the broker lets this identity read nothing of others: `#` is refused"
        yield Finding(Status.NOT_APPLICABLE, words)
    elif not signs:
        yield unknown(f"no message to look into came within {LISTEN_S:g} s")


CHECK = Check(
    id="mqtt.privacy.personal-data",
    title="Payloads carry personal data",
    item=Item.PRIVACY,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.LOGIN,
    why="Mail addresses, telephone numbers and places in telemetry make every copy of it (logs, "
    "backups, a neighbour's subscription) a leak that must be reported.",
    references=References(("I6",), ("5.8-1", "6-1"), ("DP",), (359,)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
