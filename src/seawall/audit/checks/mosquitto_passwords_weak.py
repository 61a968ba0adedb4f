"""Whether short lists open the password file, without asking the broker."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    JudgedEntry,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.mosquitto_passwords import Scheme, command_to_renew
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


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    entries = answers[GuessPasswords(target.path or Path())]
    for judged in entries:
        if judged.weakness is not None:
            yield _failed(facts, judged)
    skipped = [e.entry for e in entries if e.entry.scheme is Scheme.ARGON2]
    skipped += [e.entry for e in entries if e.entry.digest and not e.is_judged]
    if skipped:
        text = f"{len(skipped)} hashes take too long to try a list on"
        yield Finding(Status.UNKNOWN, text, key="skipped")
    broken = sum(each.entry.scheme is Scheme.BROKEN for each in entries)
    if broken:
        text = f"{broken} of {len(entries)} lines are no password that could be tried"
        yield Finding(Status.UNKNOWN, text, key="broken")
    missing = [each for each in facts.files("password_file") if each.reason]
    for file in missing:
        text = f"the password file cannot be read: {file.reason}"
        yield Finding(Status.UNKNOWN, text, key=file.path)
    if not entries and not missing:
        yield Finding(Status.NOT_APPLICABLE, "there are no passwords")
    elif not skipped and not broken and not missing and not any(each.weakness for each in entries):
        yield Finding(Status.PASS, f"none of {len(entries)} passwords is a usual one")


def _failed(facts: BrokerFiles, judged: JudgedEntry) -> Finding:
    entry = judged.entry
    name = "".join(each if each.isprintable() else "?" for each in entry.user[:40])
    source = facts.source_of(entry.path, "password_file")
    return Finding(
        Status.FAIL,
        f"the password of `{name}` {judged.weakness}",
        Fix(
            "Set a random one, note what the command shows, give it to the client, and reload "
            "Mosquitto (SIGHUP).",
            command=command_to_renew(source, entry.user) if source else None,
        ),
        location=facts.location(entry.path, entry.line),
        key=entry.user,
    )


CHECK = Check(
    id="mosquitto.passwords.weak",
    title="A default or guessable password",
    item=Item.PASSWORDS,
    kinds=KINDS,
    severity=Severity.CRITICAL,
    risk=Risk.READ,
    why="Bots try the usual passwords, and the user's name, on every broker that they find. "
    "It takes them seconds.",
    references=References(("I1",), ("5.1-1",), ("LA",), (521, 1392)),
    jobs=lambda target: [
        ReadBroker(target.path or Path()),
        GuessPasswords(target.path or Path()),
    ],
    judge=if_all_was_read(_judge),
)
