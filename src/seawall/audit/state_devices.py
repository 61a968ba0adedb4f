"""What checks of a registry's devices have in common. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Job
from seawall.audit.fleet import SHOWN, counted
from seawall.audit.probes.state import ReadStateRegistry
from seawall.audit.target import Target
from seawall.model.device import Device, DeviceStatus
from seawall.model.finding import Finding, Fix, Status


def registry_jobs(_: Target) -> Sequence[Job[Any]]:
    """Return the job that reads the registry."""
    return (ReadStateRegistry(),)


def judge_devices(
    answers: Answers, fault_of: Callable[[Device], str | None], sound: str, fix: Fix
) -> Iterator[Finding]:
    """Yield a finding for each active device that has a fault, as far as `SHOWN`, or a pass."""
    active = [
        each.device
        for each in answers[ReadStateRegistry()].devices
        if each.device.status is DeviceStatus.ACTIVE
    ]
    faults = [(each.device_id, fault) for each in active if (fault := fault_of(each)) is not None]
    for device_id, fault in faults[:SHOWN]:
        yield Finding(Status.FAIL, f"{device_id}: {fault}", fix, key=device_id)
    if len(faults) > SHOWN:
        rest = len(faults) - SHOWN
        yield Finding(
            Status.FAIL, f"{rest} more of {counted(len(active))} the same", fix, key="more"
        )
    if not active:
        yield Finding(Status.NOT_APPLICABLE, "there are no active devices")
    elif not faults:
        yield Finding(Status.PASS, f"{counted(len(active))}: {sound}")
