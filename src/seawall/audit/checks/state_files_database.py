"""Databases and backups that others can read."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_files import STATE, files_jobs, is_database, is_key, open_files
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from open_files(
        target,
        answers,
        lambda file: not file.is_folder and is_database(file.path) and not is_key(file.path),
        "database and backups are their owner's alone",
    )


CHECK = Check(
    id="state.files.database",
    title="The database, or a backup, is open to other users",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="It holds every reading, the registry, and the hashes of passwords, to be guessed at "
    "leisure. Backups are forgotten first: they lie where they were made, with the mode that "
    "the shell gave them.",
    references=References(("I7", "I6"), ("5.4-1", "5.8-2"), ("DP",), (732, 530)),
    jobs=files_jobs,
    judge=_judge,
)
