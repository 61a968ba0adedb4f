"""Files and folders that everybody may write, and a bundle that others may enter."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.bundle import SECRET_FILES
from seawall.audit.firmware.facts import FirmwareFacts
from seawall.audit.firmware.judging import (
    FIRMWARE,
    firmware_jobs,
    firmware_of,
    own_alone,
    settled,
)
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = [
        Finding(
            Status.FAIL,
            f"mode {mode:04o}: {who}",
            own_alone(target, path, wanted),
            location=Location(path or "."),
            key=path or ".",
        )
        for path, mode, wanted, who in _open(facts)
    ]
    return settled(found, facts, True, "nobody but owner and group may write", "")


def _open(facts: FirmwareFacts) -> Iterable[tuple[str, int, int, str]]:
    """Yield what is open to others: path, mode, the mode it should have, and to whom."""
    if facts.bundle is not None and facts.mode & 0o077:
        yield "", facts.mode, 0o700, "other users may look into the bundle"
    elif facts.mode & 0o002:
        yield "", facts.mode, facts.mode & ~0o002, "every user may add and remove files"
    for path, mode in facts.folders.items():
        if mode & 0o002 and not mode & 0o1000:
            yield path, mode, mode & ~0o002, "every user may add and remove files"
    for path, file in facts.files.items():
        is_secret = facts.bundle is not None and path in SECRET_FILES
        if is_secret and file.mode & 0o077 and not file.private_key and not file.settings:
            yield path, file.mode, 0o600, "other users may read it"
        elif file.mode & 0o002:
            yield path, file.mode, file.mode & ~0o002, "every user may change it"


CHECK = Check(
    id="firmware.files.open",
    title="Other users may change the firmware",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="What is changed here before it reaches the board runs on the board. Any program of any "
    "user on this machine could do that.",
    references=References(("I7", "I9"), ("5.4-1",), ("DP",), (732, 276)),
    jobs=firmware_jobs,
    judge=_judge,
)
