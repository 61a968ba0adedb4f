"""Whether there is an ACL at all."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Listener, Section
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    command_to_add,
    each_listener,
    key_of,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.shell_words import path_word
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
    listeners = facts.configuration.listeners
    files = {each.setting: each for each in facts.files("acl_file")}

    def judge(listener: Listener) -> Finding | None:
        section = facts.configuration.security(listener)
        setting = section.find("acl_file")
        if setting is None and facts.configuration.has_plugin(listener):
            text = "a plugin decides, which cannot be read here"
            return Finding(Status.UNKNOWN, text, key=key_of(listener))
        if setting is not None and not files[setting].reason:
            return None
        if setting is not None:
            text = f"`acl_file` cannot be read: {files[setting].reason}"
            return Finding(Status.UNKNOWN, text, location=facts.at(setting), key=key_of(listener))
        return Finding(
            Status.FAIL,
            f"no `acl_file` for {listener.label}: every client reads and writes every topic",
            _fix(facts, section),
            severity=_severity([listener] if facts.configuration.per_listener else listeners),
            location=facts.at_section(listener),
            key=key_of(listener) if facts.configuration.per_listener else "",
        )

    wanted = listeners if facts.configuration.per_listener else listeners[:1]
    yield from each_listener(wanted, judge, "there is an ACL")


def _severity(listeners: Sequence[Listener]) -> Severity | None:
    return Severity.LOW if all(each.is_loopback for each in listeners) else None


def _fix(facts: BrokerFiles, section: Section) -> Fix:
    path = f"{facts.folder}/seawall.acl"
    rules = shlex.join(("pattern write devices/%u/#", "pattern read devices/%u/commands"))
    word = path_word(path)
    return Fix(
        "Write an ACL that binds each client to the topics of its own name, and name it with "
        "`acl_file`; a file of that name is kept. Servers that read all devices need lines of "
        "their own: `user NAME` and `topic read devices/#`.",
        command=f"{{ test -e {word} || printf '%s\\n' {rules} > {word}; }} && "
        f"{command_to_add(facts, section, f'acl_file {path}')}",
    )


CHECK = Check(
    id="mosquitto.acl.missing",
    title="No access control on topics",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Whoever is let in reads all devices and sends orders to all of them: one stolen "
    "password is the whole fleet.",
    references=References(("I3",), ("5.5-5",), ("LA",), (862,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
