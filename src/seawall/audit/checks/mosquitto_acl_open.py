"""Whether the ACL opens the topics of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_access import Right, Rule
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

_SERVERS = 2
"""Users of one tree of topics who may be servers; where there are more, devices are among them."""


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    seen: set[str] = set()
    judged = False
    failed = 0
    for listener in facts.configuration.listeners:
        access = facts.rules(listener)
        if access is None or access[2].path in seen:
            continue
        judged = True
        rules, _, file = access
        seen.add(file.path)
        anonymous = any(map(facts.configuration.allows_anonymous, facts.configuration.listeners))
        writers = _writers(rules)
        for rule in rules:
            why = _why(rule, anonymous) or _why_tree(rule, writers)
            if why is not None:
                failed += 1
                yield _finding(facts, file, rule, why, mends=failed <= _MAX_MENDED)
    unread = [each for each in facts.files("acl_file") if each.reason]
    if unread and not failed:
        yield Finding(Status.UNKNOWN, f"`acl_file` cannot be read: {unread[0].reason}")
    elif not judged:
        yield Finding(Status.NOT_APPLICABLE, "no ACL file was read")
    elif not failed:
        yield Finding(Status.PASS, "no line opens the topics of others")


def _why(rule: Rule, anonymous: bool) -> tuple[str, Severity] | None:
    if not rule.grants or rule.topic.startswith("$"):
        return None
    if rule.user is None:
        if rule.is_personal or not rule.has_wildcard:
            return None
        return "everybody", Severity.HIGH
    if rule.user == "":
        if not rule.has_wildcard or not anonymous:
            return None
        return "clients without a name", Severity.CRITICAL
    if not rule.is_everything or rule.right is Right.READ:
        return None
    return f"the user `{rule.user[:40]}`", Severity.MEDIUM


def _writers(rules: Iterable[Rule]) -> dict[str, set[str]]:
    """Return the users who write all below a first level."""
    writers: dict[str, set[str]] = {}
    for rule in rules:
        if rule.user and rule.grants and rule.right is not Right.READ and rule.tree:
            writers.setdefault(rule.tree, set()).add(rule.user)
    return writers


def _why_tree(rule: Rule, writers: Mapping[str, Set[str]]) -> tuple[str, Severity] | None:
    """Judge a user who writes all below a level: a server needs that, a fleet of users does not."""
    among = writers.get(rule.tree, frozenset())
    if not rule.user or rule.user not in among or not rule.grants or rule.right is Right.READ:
        return None
    if len(among) <= _SERVERS or rule.tree.startswith("$"):
        return None
    text = f"the user `{rule.user[:40]}`, one of {len(among)} who write in the place of all"
    return text, Severity.MEDIUM


def _finding(
    facts: BrokerFiles, file: NamedFile, rule: Rule, why: tuple[str, Severity], *, mends: bool
) -> Finding:
    source = file.source if mends else None
    changes: tuple[ChangeText, ...] = ()
    text = "Name the topics that this user needs, no more."
    if rule.user and rule.tree:
        text = (
            f"A server needs `topic read {rule.tree[:60]}/#`, and lines to write what it orders, "
            f"such as `topic write {rule.tree[:60]}/+/commands`; a device, its own topics alone."
        )
    if source is not None and rule.user is None:
        right = "" if rule.right is Right.READWRITE else f"{rule.right} "
        line = f"pattern {right or 'readwrite '}devices/%u/#"
        changes = Editor({file.path: source}).replace(file.path, rule.line, line).changes()
        text = f"Bind it to the client's own name: `{line}`."
    elif source is not None and rule.user == "":
        changes = Editor({file.path: source}).replace(file.path, rule.line).changes()
        text = "Take the line out."
    kind = "pattern" if rule.user is None else "topic"
    return Finding(
        Status.FAIL,
        f"`{kind} {rule.right} {rule.topic[:60]}` is for {why[0]}",
        Fix(text, changes=changes),
        severity=why[1],
        location=facts.location(rule.path, rule.line),
        key=f"{rule.user}:{rule.right} {rule.topic}",
    )


CHECK = Check(
    id="mosquitto.acl.open",
    title="The ACL opens the topics of others",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="A line with a wildcard and without `%u` is for the topics of all devices. Whoever it "
    "is for follows and orders about the whole fleet.",
    references=References(("I3",), ("5.5-5",), ("LA",), (863, 732)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
