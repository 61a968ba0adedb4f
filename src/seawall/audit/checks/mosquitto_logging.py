"""Whether the broker writes down who comes and goes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import Setting
from seawall.audit.mosquitto_files import (
    KINDS,
    BrokerFiles,
    Editor,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.probes.mosquitto import ReadBroker
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
    general = facts.configuration.general
    failed = False
    for name, bad, good in (("log_dest", "none", "stderr"), ("log_type", "none", "notice")):
        setting = next((each for each in general.every(name) if each.value == bad), None)
        if setting is not None:
            failed = True
            yield _failed(facts, setting, f"`{name} {bad}`: nothing is written down", good)
    setting = general.find("connection_messages")
    if setting is not None and setting.flag is False:
        failed = True
        text = "`connection_messages false`: who connects, and fails to, is not written down"
        yield _failed(facts, setting, text, "true")
    for setting in general.every("log_dest"):
        if setting.value == "topic":
            failed = True
            yield _failed(facts, setting, "`log_dest topic` publishes the log", "stderr")
    if not failed:
        yield Finding(Status.PASS, "connections and refusals are written down")


def _failed(facts: BrokerFiles, setting: Setting, text: str, value: str) -> Finding:
    line = f"{setting.name} {value}"
    editor = Editor(facts.sources).replace(setting.path, setting.line, line)
    return Finding(
        Status.FAIL,
        text,
        Fix(f"Set `{line}`.", changes=editor.changes()),
        location=facts.at(setting),
        key=f"{setting.name} {setting.value[:20]}",
    )


CHECK = Check(
    id="mosquitto.logging.off",
    title="Nothing is written down",
    item=Item.MANAGEMENT,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="Guessing of passwords and stolen devices show in the log first, and nowhere else. "
    "Without it nobody can say afterwards what happened.",
    references=References(("I8",), ("5.7-2", "5.10-1"), ("CS",), (778,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
