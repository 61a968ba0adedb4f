"""A fleet that cannot be updated."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateRegistry, ReadStateUpdates
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.device import DeviceStatus
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUpdates(), ReadStateRegistry())


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    roles = answers[ReadStateUpdates()].roles
    active = [
        each
        for each in answers[ReadStateRegistry()].devices
        if each.device.status is DeviceStatus.ACTIVE
    ]
    if roles:
        yield Finding(Status.PASS, "releases are signed: there are update keys")
    elif not active:
        yield Finding(Status.NOT_APPLICABLE, "there are no devices to update yet")
    else:
        yield Finding(
            Status.FAIL,
            f"there are no update keys, and {len(active)} active devices",
            Fix(
                "Make the keys, publish a release, and put new bundles onto the devices: a device "
                "trusts the keys that it was born with.",
                f"seawall release keys create --state {shlex.quote(str(target.path))}",
            ),
        )


CHECK = Check(
    id="state.updates.missing",
    title="Devices cannot be updated",
    item=Item.UPDATES,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="When a weakness of the agent or of your application becomes known, each device has to be "
    "fetched and plugged in, and those out of reach stay open.",
    references=References(("I4",), ("5.3-1", "5.3-2"), ("SU",), (1277,)),
    jobs=_jobs,
    judge=_judge,
)
