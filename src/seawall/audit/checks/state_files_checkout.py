"""Keys where the next commit takes them along."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.probes.state import ReadStateFiles
from seawall.audit.state_files import STATE, files_jobs, quoted
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


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    files = answers[ReadStateFiles()]
    if files.checkout is None:
        yield Finding(Status.PASS, "no folder above is a git checkout")
    elif files.is_ignored:
        yield Finding(Status.PASS, "it is in a git checkout; its .gitignore keeps all of it out")
    else:
        yield Finding(
            Status.FAIL,
            f"it is in the git checkout {files.checkout}, and has no .gitignore of its own",
            Fix(
                "Keep the keys out of the next commit, and see that they are in none before: "
                "'git log --all -- PATH'.",
                f"echo '*' > {quoted(target, '.gitignore')} && "
                f"chmod 600 {quoted(target, '.gitignore')}",
            ),
            # A .gitignore further up may name it; that is not looked into.
            confidence=Confidence.MEDIUM,
        )


CHECK = Check(
    id="state.files.checkout",
    title="The installation's keys stand in a git checkout",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="One 'git add .' and the keys of the fleet are in every clone, for ever. Robots find such "
    "commits within minutes.",
    references=References(("I7", "I1"), ("5.4-1", "5.4-3"), ("DP",), (538, 798)),
    jobs=files_jobs,
    judge=_judge,
)
