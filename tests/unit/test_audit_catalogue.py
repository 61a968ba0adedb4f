"""The catalogue: every file is a check that is whole, and reports can speak of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import seawall.audit.checks as home
from seawall.audit.catalogue import _problems, find_checks
from seawall.audit.check import Check, Limits
from seawall.audit.target import Access, Target, TargetKind
from seawall.errors import ConfigurationError
from seawall.model.finding import Item

CHECKS = find_checks()
HOME = Path(next(iter(home.__path__)))


def test_every_file_is_a_check() -> None:
    files = [path for path in HOME.rglob("*.py") if not path.name.startswith("_")]
    assert len(CHECKS) == len(files)


def test_there_is_a_check_for_each_kind_of_target_and_each_of_the_ten() -> None:
    assert {kind for check in CHECKS for kind in check.kinds} == set(TargetKind)
    assert {check.item for check in CHECKS} == set(Item)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_says_what_is_wrong_and_why(check: Check) -> None:
    assert not check.title.endswith(".")
    assert check.why.endswith(".")
    assert len(check.why) >= 40
    assert f"I{check.item.value}" in check.references.owasp
    assert check.references.cwe


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_jobs_are_pure_equal_and_hashable(check: Check) -> None:
    for kind in check.kinds:
        target = Target(kind, "x", host="192.0.2.1", port=1, path=Path("/nowhere"))
        first, again = check.jobs(target), check.jobs(target)
        assert list(first) == list(again)
        assert len({*first, *again}) == len(set(first))
        # A target that lacks what its kind has must not make a fault either.
        check.jobs(Target(kind, "x"))


IDENTITY = Access(cert=Path("a.pem"), key=Path("a.key"), username="a", password="secret-a")
ACCESSES = {
    "stranger": Access(),
    "signed in": IDENTITY,
    "everything": replace(
        IDENTITY,
        ca=Path("ca.pem"),
        token="secret-token",
        openapi="openapi.json",
        pin="0" * 64,
        server_name="x",
        expect_ports=(1,),
        try_defaults=True,
        other=replace(IDENTITY, username="b", password="secret-b"),
    ),
}


@pytest.mark.parametrize("access", ACCESSES.values(), ids=ACCESSES.keys())
@pytest.mark.parametrize("uses_tls", [False, True])
@pytest.mark.parametrize("kind", [TargetKind.MQTT, TargetKind.TLS, TargetKind.API])
def test_all_checks_of_a_target_keep_within_its_connections(
    kind: TargetKind, uses_tls: bool, access: Access
) -> None:
    target = Target(kind, "x", host="192.0.2.1", port=1, uses_tls=uses_tls, access=access)
    jobs = {job for check in CHECKS if kind in check.kinds for job in check.jobs(target)}
    assert sum(job.connections for job in jobs) <= Limits().connections


def test_names_that_begin_with_an_underscore_are_no_checks(tmp_path: Path) -> None:
    (tmp_path / "_shared.py").write_text("X = 1\n")
    assert find_checks([tmp_path]) == CHECKS


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(str(tmp_path / "gone"))):
        find_checks([tmp_path / "gone"])


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "one"), ("id", "A.b"), ("kinds", frozenset()), ("why", " "), ("needs", ("colour",))],
)
def test_a_check_that_is_not_whole_is_refused(field: str, value: object) -> None:
    check = CHECKS[0]
    assert not list(_problems(check))
    assert list(_problems(replace(check, **{field: value})))  # type: ignore[arg-type]
