"""Private keys that others can read."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_files import STATE, files_jobs, is_key, open_files
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from open_files(
        target,
        answers,
        lambda file: not file.is_folder and is_key(file.path),
        "every key is its owner's alone",
    )


CHECK = Check(
    id="state.files.keys",
    title="A private key is open to other users",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.CRITICAL,
    risk=Risk.READ,
    why="Any program on the machine, whoever it runs as, can copy the key. With that of the "
    "authority it makes devices that the fleet believes, with the master key it signs for all.",
    references=References(("I7",), ("5.4-1",), ("DP",), (732, 522)),
    jobs=files_jobs,
    judge=_judge,
)
