"""How the password file keeps passwords."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.mosquitto_passwords import (
    Entry,
    Scheme,
    command_to_hash,
    command_to_renew,
)
from seawall.audit.probes.mosquitto import GuessPasswords, ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_ROUNDS = 101
"""What mosquitto_passwd itself writes in 2.0; fewer is an old or a foreign file."""


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    entries = answers[GuessPasswords(target.path or Path())]
    failed = [found for each in entries if (found := _failed(facts, each.entry)) is not None]
    yield from failed
    missing = [each for each in facts.files("password_file") if each.reason]
    for file in missing:
        text = f"the password file cannot be read: {file.reason}"
        yield Finding(Status.UNKNOWN, text, key=file.path)
    if not entries and not missing:
        yield Finding(Status.NOT_APPLICABLE, "there are no passwords")
    elif not failed and not missing:
        yield Finding(Status.PASS, f"{len(entries)} passwords are hashed with PBKDF2 or better")


def _failed(facts: BrokerFiles, entry: Entry) -> Finding | None:
    name = "".join(each if each.isprintable() else "?" for each in entry.user[:40])
    source = facts.source_of(entry.path, "password_file")
    if entry.scheme is Scheme.PLAIN:
        text = f"the password of `{name}` ({entry.plain_length} characters) stands in clear"
        fix = Fix(
            "Hash it, in place; the password stays what it is. Backups have it in clear: change "
            "it where they may be read.",
            command=command_to_hash(source, entry.user) if source else None,
        )
        severity = Severity.HIGH
    elif entry.scheme is Scheme.SHA512 or 0 < entry.rounds < _ROUNDS:
        text = f"the hash of `{name}` ({entry.scheme}) takes {entry.rounds} round(s) to guess"
        fix = Fix(
            "Set the password anew, mosquitto_passwd of 2.0 writes PBKDF2, and give the client "
            "what the command shows.",
            command=command_to_renew(source, entry.user) if source else None,
        )
        severity = Severity.LOW
    elif entry.scheme is Scheme.BROKEN:
        text = f"line {entry.line} cannot be read: that user cannot sign in"
        fix, severity = Fix("Set the password anew with mosquitto_passwd."), Severity.INFO
    else:
        return None
    place = facts.location(entry.path, entry.line)
    return Finding(
        Status.FAIL, text, fix, severity, location=place, key=f"{entry.scheme} {entry.user}"
    )


CHECK = Check(
    id="mosquitto.passwords.storage",
    title="Passwords in clear or quickly guessed",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Backups, images and support bundles carry the password file far. In clear, or hashed "
    "once, it is the passwords themselves.",
    references=References(("I1", "I7"), ("5.1-3", "5.4-1"), ("DP",), (256, 916)),
    jobs=lambda target: [
        ReadBroker(target.path or Path()),
        GuessPasswords(target.path or Path()),
    ],
    judge=if_all_was_read(_judge),
)
