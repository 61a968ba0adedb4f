"""Whether the answer to a wrong password tells which user names exist."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.mqtt_words import KINDS, beside, passed, unknown
from seawall.audit.probes.mqtt import Guess, Listen, TryPassword
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_WRONG = TryPassword(Guess.WRONG)
_NOBODY = TryPassword(Guess.NOBODY)
_SIGNED_IN = Listen()
_FIX = Fix(
    "Answer a wrong password and an unknown name alike (0x87 in MQTT 5, 5 in 3.1.1). Mosquitto "
    "2.0 does; update an older broker, or mend the plugin that decides."
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    wrong, nobody = answers[_WRONG], answers[_NOBODY]
    if wrong.refusal.startswith("TLS"):
        yield beside(f"nobody without a certificate gets to a password ({wrong.text})")
    elif wrong.is_silent or nobody.code is None:
        yield unknown(wrong.text if wrong.is_silent else nobody.text)
    elif nobody.is_silent:
        yield unknown(nobody.text)
    elif wrong.accepted or nobody.accepted:
        yield beside("the broker checks no password")
    elif target.access.username is None:
        yield unknown("needs --username, a name that exists")
    elif wrong.text != nobody.text:
        text = f"wrong password: {wrong.text}; unknown user: {nobody.text}"
        yield Finding(Status.FAIL, text, _FIX)
    else:
        yield _alike(answers, wrong.text)


def _alike(answers: Answers, answer: str) -> Finding:
    """Judge answers that do not differ: of two names that nobody has, they never do."""
    try:
        _ = answers[_SIGNED_IN]
    except Unobserved as missing:
        return unknown(f"the given user name may not exist: {missing.reason}")
    return passed(f"wrong password and unknown user are answered alike: {answer}")


CHECK = Check(
    id="mqtt.auth.user-enumeration",
    title="Answers tell which users exist",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.LOGIN,
    why="Who learns which names exist need guess passwords for those alone, and learns the names "
    "of devices on the way.",
    references=References(("I1",), ("5.1-5",), ("LA",), (204,)),
    jobs=lambda _: [_WRONG, _NOBODY, _SIGNED_IN],
    judge=_judge,
)
