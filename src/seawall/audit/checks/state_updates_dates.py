"""Metadata of releases that have ended, or live too long."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateUpdates
from seawall.audit.state_facts import UpdateRole
from seawall.audit.state_files import STATE
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Location, References, Risk, Severity, Status

_FREEZE: Final = timedelta(days=8)
"""A timestamp lives for 7 days; one that lives longer hides a release for that long."""
_OFFLINE: Final = frozenset({"root", "targets"})


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateUpdates(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    roles = answers[ReadStateUpdates()].roles
    faults = [
        (role, fault)
        for role in roles
        if (fault := _fault(role, answers.now, target.policy.expiring_days)) is not None
    ]
    for role, (words, severity) in faults:
        yield Finding(
            Status.FAIL,
            f"{role.role}: {words}",
            _fix(role, target),
            severity,
            location=Location("updates/metadata"),
            key=role.role,
        )
    if not roles:
        yield Finding(Status.NOT_APPLICABLE, "there are no update keys")
    elif not faults:
        yield Finding(Status.PASS, f"the metadata of {len(roles)} roles are in force")


def _fault(role: UpdateRole, now: datetime, expiring_days: int) -> tuple[str, Severity] | None:
    if role.expires is None:
        return "it has signed nothing yet: devices take no release", Severity.MEDIUM
    if role.expires <= now:
        severity = Severity.HIGH if role.role in _OFFLINE else Severity.MEDIUM
        return f"ended on {role.expires:%F}: devices take no release", severity
    if role.role == "timestamp" and role.expires > now + _FREEZE:
        return (
            f"lives until {role.expires:%F}: whoever stands between can hide a release till then",
            Severity.MEDIUM,
        )
    if role.role in _OFFLINE and role.expires < now + timedelta(days=expiring_days):
        return f"ends on {role.expires:%F}: devices take no release after that", Severity.LOW
    return None


def _fix(role: UpdateRole, target: Target) -> Fix:
    state = shlex.quote(str(target.path))
    if role.role in _OFFLINE:
        return Fix(
            "Sign it anew with the offline keys.", f"seawall release keys renew --state {state}"
        )
    return Fix(
        "Keep the daemon running: it signs these anew by itself, at its start and each hour.",
        f"seawall up --state {state}",
    )


CHECK = Check(
    id="state.updates.dates",
    title="Metadata of releases have ended, or live too long",
    item=Item.UPDATES,
    kinds=STATE,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why="After their end no device takes a release, the one that mends a weakness neither. Before "
    "it, an old state can be shown to devices as if it were the newest.",
    references=References(("I4",), ("5.3-2", "5.3-8", "5.3-9"), ("SU",), (672, 294)),
    jobs=_jobs,
    judge=_judge,
)
