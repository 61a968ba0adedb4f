"""Certificates of the installation itself that have ended, or soon will."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateKeys
from seawall.audit.state_facts import CertificateDates
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_FIX = Fix(
    "Correct the clock if it is the clock. Else restore a keystore that is still good from a "
    "backup, or make a new installation and give the devices new bundles: this version of "
    "Seawall does not renew its own certificates."
)


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateKeys(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    keys, now = answers[ReadStateKeys()], answers.now
    soon = now + timedelta(days=target.policy.expiring_days)
    faulty = [each for each in keys.certificates if now < each.not_before or each.not_after < soon]
    for each in faulty:
        ended = now < each.not_before or each.not_after <= now
        yield Finding(
            Status.FAIL,
            _evidence(each, ended=ended, begins_later=now < each.not_before),
            _FIX,
            Severity.HIGH if ended else Severity.MEDIUM,
            location=Location(f"pki/{each.path}"),
            reproduce=f"openssl x509 -noout -dates -in {target.path}/pki/{each.path}",
            key=each.path,
        )
    if not faulty and keys.certificates:
        first = min(keys.certificates, key=lambda each: each.not_after)
        yield Finding(Status.PASS, f"the first to end is {first.path}, on {first.not_after:%F}")


def _evidence(each: CertificateDates, *, ended: bool, begins_later: bool) -> str:
    if begins_later:
        return f"{each.path} is valid from {each.not_before:%F} only: nobody can connect until then"
    if ended:
        return f"{each.path} ended on {each.not_after:%F}: nobody can connect"
    return f"{each.path} ends on {each.not_after:%F}"


CHECK = Check(
    id="state.certificate.dates",
    title="A certificate of the installation has ended, or soon will",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=STATE,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why="On that day every device is shut out at once. Under that pressure people turn the "
    "verification of the server off, and it stays off.",
    references=References(("I7",), ("5.5-1", "5.5-8"), ("DP",), (298, 324)),
    jobs=_jobs,
    judge=_judge,
)
