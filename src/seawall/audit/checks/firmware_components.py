"""Components with known vulnerabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.firmware.components import is_image
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, firmware_of
from seawall.audit.firmware.vulnerable import judge_components
from seawall.audit.probes.firmware import ReadDatabase
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity


def _jobs(target: Target) -> Sequence[Job[Any]]:
    return (*firmware_jobs(target), ReadDatabase(target.access.database))


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    found = [(each, each.path) for file in facts.files.values() for each in file.components]
    has_images = any(map(is_image, facts.files))
    return judge_components(found, facts.partial, has_images, target, answers)


CHECK = Check(
    id="firmware.components.vulnerable",
    title="Components have known vulnerabilities",
    item=Item.COMPONENTS,
    kinds=FIRMWARE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="For known holes there are ready-made attacks, and devices answer with their versions. "
    "An attacker needs no skill, only a list.",
    references=References(("I5",), ("5.3-8", "5.2-3"), ("SU",), (1104, 1395, 937)),
    jobs=_jobs,
    judge=_judge,
)
