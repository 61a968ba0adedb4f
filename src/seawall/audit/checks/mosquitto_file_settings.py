"""Whether others may change, or read secrets in, the configuration."""

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
    secret = {each.path for each in facts.configuration.all() if each.is_secret}
    files = [(path, mode, 0o007 if path in secret else 0o002) for path, mode in facts.modes.items()]
    files += [(e.path, e.mode, 0o002) for e in facts.files("acl_file") if not e.reason]
    files += [(e.path, e.mode, 0o007) for e in facts.plugin_files if not e.reason]
    failed = False
    for path, mode, banned in files:
        if not mode & banned:
            continue
        failed = True
        can = "change" if mode & 0o002 else "read a password or key in"
        yield Finding(
            Status.FAIL,
            f"mode {mode:04o}: every user of this machine may {can} it",
            Fix(
                "Take that right away.",
                command=f"chmod {mode & ~banned:o} {shlex.quote(path)}",
                changes=(ChangeMode(path, mode & ~banned),),
            ),
            severity=Severity.HIGH if mode & 0o002 else None,
            location=facts.location(path),
            key=path,
        )
    for file in facts.plugin_files:
        if file.reason and file.setting:
            text = f"the file of `{file.setting.name[:60]}` cannot be looked at: {file.reason}"
            place = facts.at(file.setting)
            yield Finding(Status.UNKNOWN, text, location=place, key=file.path)
            failed = True
    if facts.unread:
        yield Finding(Status.UNKNOWN, f"not read: {'; '.join(facts.unread)[:200]}", key="unread")
    elif not failed:
        yield Finding(Status.PASS, f"others may not change the {len(files)} files")


CHECK = Check(
    id="mosquitto.files.configuration",
    title="Others may change the configuration",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="Who may write mosquitto.conf loads a plugin and is the broker; who may write the ACL "
    "has all topics; a bridge's password opens the next broker, a plugin's the database of users.",
    references=References(("I7",), ("5.4-1",), ("DP",), (732,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
