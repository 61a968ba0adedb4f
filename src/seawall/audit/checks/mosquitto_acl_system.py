"""Whether everybody reads the broker's statistics."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    Editor,
    each_listener,
    key_of,
    setting_changes,
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


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = answers[ReadBroker(target.path or Path())]
    if facts.configuration.general.text("sys_interval") == "0":
        yield Finding(Status.PASS, "`sys_interval 0`: there are no statistics")
        return

    def judge(listener: Listener) -> Finding | None:
        access = facts.rules(listener)
        if access is None:
            section = facts.configuration.security(listener)
            if section.find("acl_file") or facts.configuration.has_plugin(listener):
                text = "who reads `$SYS` is not known: ACL file not read, or a plugin decides"
                return Finding(Status.UNKNOWN, text, key=key_of(listener))
            text = "no ACL: every client reads `$SYS/#`"
            changes = setting_changes(facts, facts.configuration.general, {"sys_interval": "0"})
            return _failed(facts, listener, text, changes)
        rules, _, file = access
        for rule in rules:
            open_to_all = rule.user is None or (
                rule.user == "" and facts.configuration.allows_anonymous(listener)
            )
            if rule.grants and open_to_all and rule.topic.startswith("$SYS") and file.source:
                editor = Editor({file.path: file.source}).replace(file.path, rule.line)
                text = f"line {rule.line} of the ACL opens `{rule.topic[:40]}` to everybody"
                return _failed(facts, listener, text, editor.changes())
        return None

    wanted = facts.configuration.listeners
    wanted = wanted if facts.configuration.per_listener else wanted[:1]
    yield from each_listener(wanted, judge, "the ACL keeps `$SYS` from ordinary clients")


def _failed(
    facts: BrokerFiles, listener: Listener, text: str, changes: tuple[ChangeText, ...]
) -> Finding:
    return Finding(
        Status.FAIL,
        text,
        Fix("Keep the statistics for a user who needs them, or turn them off.", changes=changes),
        location=facts.at_section(listener),
        key=key_of(listener) if facts.configuration.per_listener else "",
    )


CHECK = Check(
    id="mosquitto.acl.system-topics",
    title="Clients read $SYS",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="`$SYS` tells the broker's exact version and load: which exploit to bring, and "
    "whether a flood has worked.",
    references=References(("I2",), ("5.6-2",), ("LA",), (200, 497)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
