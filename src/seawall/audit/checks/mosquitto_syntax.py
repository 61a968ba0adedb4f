"""Whether Mosquitto understands its files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from seawall.audit.check import Answers, Check
from seawall.audit.mosquitto_configuration import MAX_PROBLEMS
from seawall.audit.mosquitto_files import (
    KINDS,
)
from seawall.audit.mosquitto_judging import if_all_was_read
from seawall.audit.mosquitto_refusals import refusals
from seawall.audit.probes.mosquitto import ReadBroker
from seawall.audit.target import Target
from seawall.model.finding import (
    Confidence,
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
    problems = [*facts.configuration.problems, *refusals(facts.configuration)][:MAX_PROBLEMS]
    seen: set[str] = set()
    for listener in facts.configuration.listeners:
        access = facts.rules(listener)
        if access is not None and access[2].path not in seen:
            seen.add(access[2].path)
            problems += access[1]
    for number, problem in enumerate(problems):
        yield Finding(
            Status.FAIL,
            problem.text,
            Fix("Mend the line, or take it out; mosquitto.conf(5) has every setting."),
            confidence=Confidence.MEDIUM,
            location=facts.location(problem.path, problem.line),
            key=f"{problem.text} {number}",
        )
    if not problems:
        yield Finding(Status.PASS, "no line is one that Mosquitto would refuse")


CHECK = Check(
    id="mosquitto.configuration.syntax",
    title="A line that Mosquitto refuses",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.INFO,
    risk=Risk.READ,
    why="A setting with a typing error protects nothing: Mosquitto refuses to start, or another "
    "version passes over it.",
    references=References(("I9",), ("5.12-1",), ("DC",), (1188,)),
    jobs=lambda target: [ReadBroker(target.path or Path())],
    judge=if_all_was_read(_judge),
)
