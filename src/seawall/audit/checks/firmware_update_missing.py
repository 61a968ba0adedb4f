"""Bundles of devices that cannot be updated."""

from __future__ import annotations

from collections.abc import Iterable

from seawall.audit.check import Answers, Check
from seawall.audit.firmware.bundle import CONFIG, ROOT
from seawall.audit.firmware.judging import FIRMWARE, firmware_jobs, firmware_of, settled
from seawall.audit.target import Target
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    Location,
    References,
    Risk,
    Severity,
    Status,
)


def _judge(target: Target, answers: Answers) -> Iterable[Finding]:
    facts = firmware_of(target, answers)
    bundle = facts.bundle
    if bundle is None:
        yield from settled([], facts, False, "", "no device bundle")
        return
    root = facts.files.get(ROOT)
    if bundle.has_updates and root is not None and root.is_root:
        yield Finding(Status.PASS, f"{CONFIG} names an update server, {ROOT} is signed metadata")
        return
    if not bundle.has_updates:
        said = f"{CONFIG} names no update server: the device stays as it is for ever"
    else:
        said = f"{ROOT} is not there or no signed root metadata: no update will be believed"
    yield Finding(
        Status.FAIL,
        said,
        Fix(
            "Make release keys once with `seawall release keys create`, then write the bundle "
            "again: the device is born with the keys' public half.",
            f"seawall device bundle {bundle.device_id} --out {bundle.device_id}-bundle",
        ),
        location=Location(CONFIG),
        key="updates",
    )


CHECK = Check(
    id="firmware.update.missing",
    title="The device cannot be updated",
    item=Item.UPDATES,
    kinds=FIRMWARE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="A hole that is found tomorrow stays open until somebody visits the device with a cable.",
    references=References(("I4",), ("5.3-1", "5.3-2"), ("SU",), (1277, 1329)),
    jobs=firmware_jobs,
    judge=_judge,
)
