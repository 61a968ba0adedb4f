"""Judges of a state directory on made facts: what a test cannot make on any machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Answers, Job, Limits, Unobserved
from seawall.audit.probes.state import (
    HANDED_IN,
    ReadStateFiles,
    ReadStateKeys,
    ReadStateRegistry,
    ReadStateUpdates,
    ReadStateUsers,
)
from seawall.audit.state_facts import (
    CertificateDates,
    FileFacts,
    StateFiles,
    StateKeys,
    StateRegistry,
    StateUpdates,
    UpdateRole,
    UserFacts,
)
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Severity, Status
from seawall.model.user import Role

NOW = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
TARGET = Target(TargetKind.STATE, "state", path=Path("/srv/sea wall"))
CHECKS = {check.id: check for check in find_checks(())}
ROOT = FileFacts(".", 0o700, 1000, is_folder=True)
KEY = FileFacts("pki/master.key", 0o600, 1000, is_folder=False)


def judged(check: str, *facts: tuple[Job[Any], object]) -> list[Finding]:
    return list(CHECKS[check].judge(TARGET, Answers(dict(facts), NOW)))


def only(check: str, *facts: tuple[Job[Any], object]) -> Finding:
    (finding,) = judged(check, *facts)
    return finding


# Files


def test_files_of_others_are_found_and_those_lent_to_mosquitto_are_not() -> None:
    lent = FileFacts("broker/mosquitto", 0o700, 102, is_folder=True)
    inside = FileFacts("broker/mosquitto/access.acl", 0o600, 102, is_folder=False)
    sound = StateFiles((ROOT, KEY, lent, inside))
    assert only("state.files.owner", (ReadStateFiles(), sound)).status is Status.PASS
    for uid, severity in ((1001, None), (0, Severity.LOW)):
        strange = FileFacts("seawall.db", 0o600, uid, is_folder=False)
        weak = StateFiles((ROOT, KEY, lent, inside, strange))
        found = only("state.files.owner", (ReadStateFiles(), weak))
        assert (found.status, found.severity) == (Status.FAIL, severity)
        assert found.fix is not None
        assert found.fix.command == "sudo chown 1000 '/srv/sea wall/seawall.db'"


@pytest.mark.parametrize(("mode", "status"), [(0o777, "fail"), (0o1777, "pass"), (0o755, "pass")])
def test_a_folder_above_that_anybody_may_change(mode: int, status: str) -> None:
    above = FileFacts("/srv", mode, 0, is_folder=True)
    found = only(
        "state.files.writable", (ReadStateFiles(), StateFiles((ROOT, KEY), above=(above,)))
    )
    assert found.status == status


@pytest.mark.parametrize("check", ["keys", "database", "folders", "writable"])
def test_what_was_not_looked_at_is_unknown(check: str) -> None:
    cut = StateFiles((ROOT, KEY), is_whole=False)
    assert only(f"state.files.{check}", (ReadStateFiles(), cut)).status is Status.UNKNOWN


def test_a_socket_behind_a_closed_folder_is_no_finding() -> None:
    socket = FileFacts("broker/control.sock", 0o770, 1000, is_folder=False, is_special=True)
    shut = StateFiles((ROOT, socket))
    assert only("state.files.folders", (ReadStateFiles(), shut)).status is Status.PASS
    ajar = StateFiles((FileFacts(".", 0o701, 1000, is_folder=True), socket))
    assert len(judged("state.files.folders", (ReadStateFiles(), ajar))) == 2


# Keys


def keys(**members: Any) -> StateKeys:
    life = CertificateDates("web/current.crt.pem", NOW - timedelta(1), NOW + timedelta(500))
    sound: dict[str, Any] = {
        "certificates": (life,),
        "unsealed": (),
        "crl_ends": NOW + timedelta(days=500),
        "crl_serials": frozenset({"a1"}),
        "revoked_serials": frozenset({"a1"}),
    }
    return StateKeys(**{**sound, **members})


@pytest.mark.parametrize(
    ("begins", "ends", "severity"),
    [(-1, 500, None), (-900, -1, "high"), (1, 500, "high"), (-900, 29, "medium")],
)
def test_dates_of_certificates(begins: int, ends: int, severity: str | None) -> None:
    dates = CertificateDates(
        "web/current.crt.pem", NOW + timedelta(days=begins), NOW + timedelta(days=ends)
    )
    found = only("state.certificate.dates", (ReadStateKeys(), keys(certificates=(dates,))))
    assert (found.status, found.severity) == (
        (Status.PASS, None) if severity is None else (Status.FAIL, severity)
    )


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"crl_ends": NOW - timedelta(1)}, ["ended on 2026-11-21"]),
        ({"crl_ends": NOW + timedelta(20)}, ["ends on 2026-12-12"]),
        ({"revoked_serials": frozenset({"a1", "b2"})}, ["b2 is revoked and not on the list"]),
        ({}, ["lists all 1"]),
    ],
)
def test_the_revocation_list(members: dict[str, Any], words: list[str]) -> None:
    found = judged(
        "state.revocation.list",
        (ReadStateKeys(), keys(**members)),
        (ReadStateRegistry(), StateRegistry(())),
    )
    assert len(found) == 1
    assert words[0] in found[0].evidence


# Users


def test_users_that_time_did_not_suffice_for_are_unknown() -> None:
    users = (
        UserFacts("admin", Role.ADMIN, "argon2id", 65536, 3, tried=15),
        UserFacts("eve", Role.VIEWER, "argon2id", 65536, 3, tried=0),
    )
    found = only("state.users.passwords", (ReadStateUsers(), users))
    assert (found.status, found.evidence.endswith("eve")) == (Status.UNKNOWN, True)


# Updates


@pytest.mark.parametrize(
    ("role", "days", "severity"),
    [
        ("timestamp", 6, None),
        ("timestamp", -1, "medium"),
        ("timestamp", 30, "medium"),
        ("root", 400, None),
        ("root", 20, "low"),
        ("root", -1, "high"),
        ("targets", None, "medium"),
    ],
)
def test_dates_of_metadata(role: str, days: int | None, severity: str | None) -> None:
    expires = None if days is None else NOW + timedelta(days=days)
    updates = StateUpdates((UpdateRole(role, 2, expires),))
    found = only("state.updates.dates", (ReadStateUpdates(), updates))
    assert (found.status, found.severity) == (
        (Status.PASS, None) if severity is None else (Status.FAIL, severity)
    )


def test_an_unsealed_key_of_releases_on_the_server_is_worse_than_a_sealed_one() -> None:
    path = "updates/keys/offline/root-1.pem"
    expires = NOW + timedelta(days=300)
    for unsealed, severity in (((), None), ((path,), Severity.HIGH)):
        updates = StateUpdates((UpdateRole("root", 2, expires, (path,), unsealed),))
        found = only("state.updates.offline", (ReadStateUpdates(), updates))
        assert (found.status, found.severity) == (Status.FAIL, severity)


# Jobs that somebody else answers for


@pytest.mark.anyio
@pytest.mark.parametrize("job", HANDED_IN)
async def test_without_a_port_nothing_is_known(job: type[Job[Any]]) -> None:
    with pytest.raises(Unobserved, match="not read from here"):
        await job().observe(TARGET, Limits())
