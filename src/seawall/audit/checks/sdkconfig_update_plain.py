"""Updates over plain HTTP in the build."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.chip.judging import SDKCONFIG, at, file_jobs, sdkconfig_of, with_options
from seawall.audit.chip.sdkconfig import plain_addresses
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

_NAMES = ("CONFIG_ESP_HTTPS_OTA_ALLOW_HTTP", "CONFIG_OTA_ALLOW_HTTP")


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    config = sdkconfig_of(target, answers)
    bad = [name for name in _NAMES if config.is_on(name)]
    for name in bad:
        yield Finding(
            Status.FAIL,
            f"{name}=y",
            with_options(target, "Fetch updates over HTTPS alone.", f"# {name} is not set"),
            location=at(target, config.line(name)),
            key=name,
        )
    addresses = [each for each in plain_addresses(config) if each.is_of_updates]
    for each in addresses:
        yield Finding(
            Status.FAIL,
            each.evidence,
            Fix(f"Fetch updates over HTTPS alone: let {each.name} begin with https://."),
            location=at(target, each.line),
            key=each.name,
        )
    if not bad and not addresses:
        yield Finding(
            Status.PASS, f"{_NAMES[0]} is not set, and no address of updates begins with http://"
        )


CHECK = Check(
    id="sdkconfig.update.plain",
    title="Updates over plain HTTP are allowed",
    item=Item.UPDATES,
    kinds=SDKCONFIG,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="Anybody in the same network can answer in the name of the update server.",
    references=References(("I4", "I7"), ("5.3-2", "5.3-10"), ("SU",), (319, 494)),
    jobs=file_jobs,
    judge=_judge,
)
