"""Whether the ACL trusts a name that clients choose."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_access import Rule
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    Editor,
    NamedFile,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    ChangeText,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

_MAX_MENDED = 50
"""Changes at a time: each holds the whole file. The next audit brings more."""


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    failed = judged = False
    seen: set[tuple[str, int]] = set()
    for listener in facts.configuration.listeners:
        access = facts.rules(listener)
        if access is None:
            continue
        judged = True
        rules, _, file = access
        chosen = not listener.flag("use_username_as_clientid")
        for rule in rules:
            place = rule.path, rule.line
            trusts = rule.user is None and rule.grants and "%c" in rule.topic
            if chosen and trusts and "%u" not in rule.topic and place not in seen:
                seen.add(place)
                failed = True
                yield _finding(facts, file, rule, len(seen) <= _MAX_MENDED)
    unread = [each for each in facts.files("acl_file") if each.reason]
    if unread and not failed:
        yield Finding(Status.UNKNOWN, f"`acl_file` cannot be read: {unread[0].reason}")
    elif not judged:
        yield Finding(Status.NOT_APPLICABLE, "no ACL file was read")
    elif not failed:
        yield Finding(Status.PASS, "no pattern trusts a client id that clients choose")


def _finding(facts: BrokerFiles, file: NamedFile, rule: Rule, mends: bool) -> Finding:
    line = f"pattern {rule.right} {rule.topic.replace('%c', '%u')}"
    source = file.source if mends else None
    changes: tuple[ChangeText, ...] = ()
    if source is not None:
        changes = Editor({file.path: source}).replace(file.path, rule.line, line).changes()
    return Finding(
        Status.FAIL,
        f"`pattern {rule.right} {rule.topic[:60]}` trusts the client id, which clients choose",
        Fix(f"Use the user name: `{line[:100]}`.", changes=changes),
        location=facts.location(rule.path, rule.line),
        key=f"{rule.right} {rule.topic}",
    )


CHECK = Check(
    id="mosquitto.acl.client-id",
    title="The ACL trusts client ids",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A client id is what the client says it is. Who says another device's id has that "
    "device's topics.",
    references=References(("I3",), ("5.5-5",), ("DI",), (290, 863)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
