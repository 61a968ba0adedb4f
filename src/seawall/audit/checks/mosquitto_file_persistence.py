"""Whether others may read what the broker keeps on disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    ChangeMode,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    file = facts.persistence
    if file is None:
        yield Finding(Status.NOT_APPLICABLE, "`persistence` is off: nothing is kept on disk")
    elif file.reason == "no such file or directory":
        yield Finding(Status.NOT_APPLICABLE, "no database was written yet")
    elif file.reason:
        yield Finding(Status.UNKNOWN, f"the database cannot be looked at: {file.reason}")
    elif file.mode & 0o007 and file.folder_mode & 0o001:
        yield Finding(
            Status.FAIL,
            f"mode {file.mode:04o}: every user of this machine may read retained messages",
            Fix(
                "Take the rights of others away, and of its folder: Mosquitto writes it anew.",
                command=f"chmod o= {shlex.quote(file.path)}",
                changes=(ChangeMode(file.path, file.mode & 0o7770),),
            ),
            location=facts.location(file.path),
        )
    else:
        yield Finding(Status.PASS, f"mode {file.mode:04o}, folder {file.folder_mode:04o}")


CHECK = Check(
    id="mosquitto.files.persistence",
    title="Stored messages are readable by others",
    item=Item.PRIVACY,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="The database holds retained and waiting messages in clear: readings, orders, names "
    "and places of the whole fleet.",
    references=References(("I6", "I7"), ("5.4-1", "5.8-1"), ("DP",), (732, 312)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
