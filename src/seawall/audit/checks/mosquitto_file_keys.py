"""Whether others may read private keys."""

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
    files = facts.files("keyfile", "bridge_keyfile")
    for file in files:
        place = facts.at(file.setting) if file.setting else None
        if file.reason:
            text = f"the key that is named cannot be looked at: {file.reason}"
            yield Finding(Status.UNKNOWN, text, location=place, key=file.path)
        elif file.mode & 0o007:
            yield Finding(
                Status.FAIL,
                f"mode {file.mode:04o}: every user of this machine may read the private key",
                Fix(
                    "Take the rights of others away. Mosquitto reads it before it gives up root, "
                    "or as its owner or group.",
                    command=f"chmod o= {shlex.quote(file.path)}",
                    changes=(ChangeMode(file.path, file.mode & 0o7770),),
                ),
                location=facts.location(file.path),
                key=file.path,
            )
        else:
            text = f"mode {file.mode:04o}: others may not read the private key"
            yield Finding(Status.PASS, text, location=facts.location(file.path), key=file.path)
    if not files:
        yield Finding(Status.NOT_APPLICABLE, "no private key is named")


CHECK = Check(
    id="mosquitto.files.key",
    title="The private key is readable by others",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="With the server's key, any account of the machine (a web application that was broken "
    "into) plays the broker to all devices.",
    references=References(("I7",), ("5.4-1",), ("DP",), (732, 522)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
