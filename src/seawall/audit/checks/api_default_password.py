"""Whether a default password signs in; only if somebody asked for tries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.api_subject import KINDS
from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.http_login import LoginTries
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_TRIES: Final = LoginTries()


_ENOUGH: Final = 3
"""So many must have been answered as passwords are: a limit may end the tries before."""


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (_TRIES,)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[_TRIES]
    let_in = facts.let_in()
    if let_in is None and not facts.was_understood:
        status = facts.tries[-1].answer.status
        yield Finding(Status.UNKNOWN, f"{facts.way} answered {status}: not understood, or at fault")
        return
    if let_in is None:
        answered = sum(not each.was_held_up for each in facts.tries[1:])
        text = f"{answered} default passwords were refused ({facts.way})"
        if facts.held_up:
            text += f", then no more were taken ({facts.held_up.answer.status})"
        is_enough = answered >= _ENOUGH and not facts.tries[0].was_held_up
        yield Finding(Status.PASS if is_enough else Status.UNKNOWN, text)
        return
    yield Finding(
        Status.FAIL,
        f"{facts.way}: {let_in.user} signs in with a default password of "
        f"{let_in.password_characters} characters ({let_in.answer.status}; a wrong one is answered "
        f"otherwise, {facts.tries[0].answer.status})",
        Fix(
            "Change it now. Ship each device with a password of its own, or make the first "
            "person choose one before anything works."
        ),
        key=let_in.user,
    )


CHECK: Final = Check(
    id="api.login.default-password",
    title="A default password signs in",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.CRITICAL,
    risk=Risk.LOGIN,
    why=(
        "Mirai took hundreds of thousands of devices with 61 such pairs, and its kin still try "
        "them on each address there is, minutes after it goes online."
    ),
    references=References(
        owasp=("I1",),
        etsi=("5.1-1", "5.1-2"),
        nist=("LA",),
        cwe=(1392, 521),
    ),
    jobs=_jobs,
    judge=_judge,
    needs=("try_defaults",),
)
