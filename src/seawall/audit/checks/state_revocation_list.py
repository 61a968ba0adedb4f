"""A revocation list that is old, or lacks what was revoked."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateKeys, ReadStateRegistry
from seawall.audit.state_facts import StateKeys
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.device import DeviceStatus
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_PLACE = Location("pki/crl.pem")


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateKeys(), ReadStateRegistry())


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    keys = answers[ReadStateKeys()]
    registry = {
        each.device.certificate_serial: each.device.device_id
        for each in answers[ReadStateRegistry()].devices
        if each.device.status is DeviceStatus.REVOKED
    }
    faults = [
        *_ending(keys, answers.now, target.policy.expiring_days),
        *(
            _missing(target, serial, registry.get(serial, ""))
            for serial in sorted((keys.revoked_serials | registry.keys()) - keys.crl_serials)
        ),
    ]
    yield from faults
    if not faults:
        listed = len(keys.crl_serials)
        yield Finding(
            Status.PASS, f"it ends on {keys.crl_ends:%F} and lists all {listed} that were revoked"
        )


def _ending(keys: StateKeys, now: datetime, expiring_days: int) -> Iterator[Finding]:
    if keys.crl_ends >= now + timedelta(days=expiring_days):
        return
    ended = keys.crl_ends <= now
    yield Finding(
        Status.FAIL,
        f"the revocation list {'ended' if ended else 'ends'} on {keys.crl_ends:%F}: no device can "
        "connect after that",
        Fix(
            "Start 'seawall up': it renews the list at its start. With a passphrase on the "
            "authority's keys, 'seawall device revoke' of any device writes it anew."
        ),
        Severity.HIGH if ended else Severity.MEDIUM,
        location=_PLACE,
        key="ends",
    )


def _missing(target: Target, serial: str, name: str) -> Finding:
    state = shlex.quote(str(target.path))
    return Finding(
        Status.FAIL,
        f"certificate {serial}{f' of {name}' if name else ''} is revoked and not on the list",
        Fix(
            "Revoke it once more; the list is then written anew.",
            f"seawall device revoke {name} --yes --state {state}" if name else None,
        ),
        location=_PLACE,
        key=serial,
    )


CHECK = Check(
    id="state.revocation.list",
    title="The revocation list is old or incomplete",
    item=Item.MANAGEMENT,
    kinds=STATE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="The list is what keeps a stolen device out. If it lacks the device, nothing does; if it "
    "has ended, every device is shut out together.",
    references=References(("I8",), ("5.5-8",), ("LA",), (299,)),
    jobs=_jobs,
    judge=_judge,
)
