"""Whether others may read the password file."""

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
    files = facts.files("password_file", "psk_file")
    for file in files:
        place = facts.at(file.setting) if file.setting else None
        if file.reason:
            text = f"the file that is named cannot be read: {file.reason}"
            yield Finding(Status.UNKNOWN, text, location=place, key=file.path)
        elif file.mode & 0o007:
            yield Finding(
                Status.FAIL,
                f"mode {file.mode:04o}: every user of this machine may read hashes or keys",
                Fix(
                    "Take the rights of others away; owner or group is who Mosquitto runs as.",
                    command=f"chmod o= {shlex.quote(file.path)}",
                    changes=(ChangeMode(file.path, file.mode & 0o7770),),
                ),
                location=facts.location(file.path),
                key=file.path,
            )
        else:
            text = f"mode {file.mode:04o}: others may not read it"
            yield Finding(Status.PASS, text, location=facts.location(file.path), key=file.path)
    if not files:
        yield Finding(Status.NOT_APPLICABLE, "no password file is named")


CHECK = Check(
    id="mosquitto.files.passwords",
    title="The password file is readable by others",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Mosquitto's hashes are quick to guess (101 rounds). Whoever reads the file has the "
    "weak passwords in minutes, and shared keys at once.",
    references=References(("I7", "I1"), ("5.4-1",), ("DP",), (732, 522)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
