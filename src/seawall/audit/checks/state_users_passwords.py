"""Users whose password is a usual one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateUsers
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUsers(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    users = answers[ReadStateUsers()]
    state = shlex.quote(str(target.path))
    for user in users:
        if user.guessed:
            yield Finding(
                Status.FAIL,
                f"the password of {user.name} ({user.role.value}) is {user.guessed}",
                Fix(
                    "Give the user another password; all sessions of the user end.",
                    f"seawall user passwd {shlex.quote(user.name)} --state {state}",
                ),
                key=user.name,
            )
    untried = [user.name for user in users if not user.tried and not user.guessed]
    if untried:
        yield Finding(
            Status.UNKNOWN,
            f"no time was left to try the hashes of {len(untried)} users: {', '.join(untried[:5])}",
            key="untried",
        )
    elif users and not any(user.guessed for user in users):
        tried = min(user.tried for user in users)
        yield Finding(
            Status.PASS, f"{len(users)} looked at, {tried} usual passwords tried on each hash"
        )
    elif not users:
        yield Finding(Status.NOT_APPLICABLE, "there are no users")


CHECK = Check(
    id="state.users.passwords",
    title="A user's password is a usual one",
    item=Item.PASSWORDS,
    kinds=STATE,
    severity=Severity.CRITICAL,
    risk=Risk.READ,
    why="Passwords such as these are the first that robots try. Signed in, an intruder reads every "
    "device's history and, with the role for it, commands devices and rolls software out.",
    references=References(("I1",), ("5.1-1", "5.1-2"), ("LA",), (521, 1391)),
    jobs=_jobs,
    judge=_judge,
)
