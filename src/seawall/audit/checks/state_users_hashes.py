"""Passwords kept in a way that is quick to guess."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateUsers
from seawall.audit.state_facts import UserFacts
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_ALGORITHM: Final = "argon2id"
_LEAST: Final = ((46 << 10, 1), (19 << 10, 2), (12 << 10, 3), (9 << 10, 4), (7 << 10, 5))
"""KiB and passes that OWASP's cheat sheet on the storage of passwords calls equal."""


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUsers(),)


def _is_slow_enough(user: UserFacts) -> bool:
    return user.algorithm == _ALGORITHM and any(
        user.memory_kib >= memory_kib and user.passes >= passes for memory_kib, passes in _LEAST
    )


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    users = answers[ReadStateUsers()]
    weak = [user for user in users if not _is_slow_enough(user)]
    for user in weak:
        yield Finding(
            Status.FAIL,
            f"the password of {user.name} is kept as {user.algorithm}, {user.memory_kib} KiB and "
            f"{user.passes} passes a guess",
            Fix(
                "Set the password again: it is then kept with today's parameters.",
                f"seawall user passwd {shlex.quote(user.name)} "
                f"--state {shlex.quote(str(target.path))}",
            ),
            key=user.name,
        )
    if not users:
        yield Finding(Status.NOT_APPLICABLE, "there are no users")
    elif not weak:
        least = min(users, key=lambda user: user.memory_kib)
        yield Finding(
            Status.PASS,
            f"{len(users)} looked at; a guess takes {least.memory_kib} KiB and {least.passes} "
            "passes of argon2id at least",
        )


CHECK = Check(
    id="state.users.hashes",
    title="A password is kept in a way that is quick to guess",
    item=Item.PASSWORDS,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Whoever gets a copy of the database or of a backup guesses at leisure. What decides how "
    "long a password lasts then is what one guess costs.",
    references=References(("I1", "I7"), ("5.1-3",), ("DP", "LA"), (916,)),
    jobs=_jobs,
    judge=_judge,
)
