"""Whether one of the field's usual passwords opens the broker; only with --try-defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.mqtt_words import KINDS, beside, passed, unknown
from seawall.audit.probes.mqtt import DEFAULT_CREDENTIALS, Guess, TryDefault, TryPassword
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_WRONG = TryPassword(Guess.WRONG)
_TRIES = tuple(TryDefault(number) for number in range(len(DEFAULT_CREDENTIALS)))
_FIX = Fix(
    "Remove the account, or give it another password: `mosquitto_passwd /etc/mosquitto/passwd "
    "NAME` asks for it, and `openssl rand -base64 24` shows a random one. With `-b`, every user "
    "of that machine could read it."
)


def _jobs(target: Target) -> Sequence[Job[Any]]:
    return [_WRONG, *_TRIES] if target.access.try_defaults else [_WRONG]


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    wrong = answers[_WRONG]
    if wrong.refusal.startswith("TLS"):
        yield beside(f"nobody without a certificate gets to a password ({wrong.text})")
    elif wrong.is_silent:
        yield unknown(wrong.text)
    elif wrong.accepted:
        yield beside("the broker checks no password, as mqtt.auth.wrong-password says")
    elif not target.access.try_defaults:
        yield unknown("needs --try-defaults: five passwords are tried then")
    else:
        yield from _tried(answers)


def _tried(answers: Answers) -> Iterable[Finding]:
    tries = [answers[job] for job in _TRIES]
    opened = [number for number, each in enumerate(tries) if each.accepted]
    for number in opened:
        name, word = DEFAULT_CREDENTIALS[number]
        what = "its name" if name == word else f"a usual password of {len(word)} characters"
        text = f"user `{name}` is let in with {what} as password"
        yield Finding(Status.FAIL, text, _FIX, key=f"default-{number}")
    silent = next((each for each in tries if each.is_silent), None)
    if silent is not None:
        yield unknown(f"not every try was answered: {silent.text}")
    elif not opened:
        yield passed(f"{len(_TRIES)} usual passwords are refused")


CHECK = Check(
    id="mqtt.auth.default-credentials",
    title="A default password opens the broker",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.CRITICAL,
    risk=Risk.LOGIN,
    why="Bots try the passwords that products ship with on every address of the internet, in "
    "minutes after it appears.",
    references=References(("I1", "I9"), ("5.1-1",), ("LA",), (1392, 521)),
    jobs=_jobs,
    judge=_judge,
)
