"""Whether a wrong password opens the broker."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.mqtt_words import KINDS, beside, passed, unknown
from seawall.audit.probes.mqtt import Guess, TryPassword
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_JOB = TryPassword(Guess.WRONG)
_FIX = Fix(
    "Make the broker check passwords. In mosquitto.conf: `allow_anonymous false` and "
    "`password_file /etc/mosquitto/passwd`; with `allow_anonymous true` and no file, any "
    "password is right."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    greeting = answers[_JOB]
    who = "the given user name" if target.access.username else "a made-up user name"
    if greeting.accepted:
        text = f"{greeting.text} (accepted) for {who} with a random password"
        yield Finding(Status.FAIL, text, _FIX)
    elif greeting.refusal.startswith("TLS"):
        yield beside(f"nobody without a certificate gets to a password ({greeting.text})")
    elif greeting.is_silent:
        yield unknown(greeting.text)
    else:
        yield passed(f"{who} with a random password is refused: {greeting.text}")


CHECK = Check(
    id="mqtt.auth.wrong-password",
    title="A wrong password is accepted",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.LOGIN,
    why="A broker that asks for a password and checks none looks closed and is open: whoever "
    "makes up a name is that user, with all that the ACL grants it.",
    references=References(("I1",), ("5.1-3", "5.5-5"), ("LA",), (287, 303)),
    jobs=lambda _: [_JOB],
    judge=_judge,
)
