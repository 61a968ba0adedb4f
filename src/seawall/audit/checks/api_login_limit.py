"""Whether somebody slows down who guesses passwords; only if somebody asked for tries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.api_subject import KINDS
from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.http_login import DEFAULTS, LoginFacts, LoginTries
from seawall.audit.target import Target
from seawall.model.finding import Confidence, Finding, Fix, Item, References, Risk, Severity, Status

_TRIES: Final = LoginTries()
_SLOWER_S: Final = 0.5
_SLOWER_TIMES: Final = 2.0


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (_TRIES,)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[_TRIES]
    count = len(facts.tries)
    if sign := _held_up(facts):
        yield Finding(Status.PASS, f"try {count} ({facts.way}) was held up: {sign}")
    elif facts.let_in() or not facts.was_understood or count <= len(DEFAULTS):
        yield Finding(Status.UNKNOWN, f"{count} tries told nothing ({facts.way})")
    else:
        status = facts.tries[-1].answer.status
        yield Finding(
            Status.FAIL,
            f"{count} wrong passwords in a row ({facts.way}) were all answered with {status}, at "
            "the same pace",
            Fix(
                "After a few failures, make each further try wait longer, by name and by address, "
                "and answer with 429 and Retry-After."
            ),
            confidence=Confidence.MEDIUM,  # a limit may set in later: no more is tried
        )


def _held_up(facts: LoginFacts) -> str:
    first, last = facts.tries[0], facts.tries[-1]
    if first.was_held_up:
        return ""  # it says that to all
    if last.was_held_up:
        return f"answered with {last.answer.status}"
    if last.seconds > max(first.seconds * _SLOWER_TIMES, first.seconds + _SLOWER_S):
        return f"answered after {last.seconds:.1f} s, the first after {first.seconds:.1f} s"
    return ""


CHECK: Final = Check(
    id="api.login.no-limit",
    title="Passwords can be guessed as fast as the server answers",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.LOGIN,
    why=(
        "A list of the million most frequent passwords is through in a day at ten tries a second, "
        "and lists of leaked pairs are shorter still."
    ),
    references=References(owasp=("I1",), etsi=("5.1-5",), nist=("LA",), cwe=(307,)),
    jobs=_jobs,
    judge=_judge,
    needs=("try_defaults",),
)
