"""Known vulnerabilities of the ESP-IDF that wrote an sdkconfig."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.chip.judging import SDKCONFIG, file_jobs, sdkconfig_of, text_of
from seawall.audit.firmware.components import components_in_text
from seawall.audit.firmware.vulnerable import judge_components
from seawall.audit.probes.firmware import ReadDatabase
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity


def _jobs(target: Target) -> Sequence[Job[Any]]:
    return (*file_jobs(target), ReadDatabase(target.access.database))


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    sdkconfig_of(target, answers)
    name = target.path.name if target.path else ""
    found = list(components_in_text("sdkconfig", text_of(target, answers)))
    return judge_components([(each, name) for each in found], None, True, target, answers)


CHECK = Check(
    id="sdkconfig.components.vulnerable",
    title="The ESP-IDF has known vulnerabilities",
    item=Item.COMPONENTS,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="For known holes there are ready-made attacks, and every device that was built with this "
    "version has them.",
    references=References(("I5",), ("5.3-8", "5.2-3"), ("SU",), (1104, 1395, 937)),
    jobs=_jobs,
    judge=_judge,
)
