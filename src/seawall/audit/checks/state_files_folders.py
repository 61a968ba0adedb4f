"""Folders, and files without secrets, that others can look into."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.audit.check import Answers, Check
from seawall.audit.state_facts import FileFacts
from seawall.audit.state_files import STATE, files_jobs, is_database, is_key, open_files
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity


def _is_other(file: FileFacts) -> bool:
    return file.is_folder or not (is_key(file.path) or is_database(file.path))


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    yield from open_files(target, answers, _is_other, "everything is its owner's alone")


CHECK = Check(
    id="state.files.folders",
    title="A folder or file of the installation is open to other users",
    item=Item.DEFAULTS,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Closed folders are what keeps a file safe whose own mode somebody got wrong. Settings "
    "and names of devices tell an intruder on the machine where to go next.",
    references=References(("I9", "I7"), ("5.4-1",), ("DP", "DC"), (276, 732)),
    jobs=files_jobs,
    judge=_judge,
)
