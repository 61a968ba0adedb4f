"""Each check is shown on a weak and a sound target, and its fix is tried: `audit-matrix.toml`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.audit.catalogue import find_checks
from seawall.model.finding import Confidence, Fix, Item, Result, Severity, Status
from seawall.testing.audit_matrix import PREFIX, Case, FixKind, not_shown, read_matrix

TABLE = Path(__file__).parents[1] / "audit-matrix.toml"


def missing_of(checks: set[str], cases: tuple[Case, ...]) -> list[str]:
    """Say what the table lacks, and what it has of checks that are gone."""
    by_check = {case.check: case for case in cases}
    lacking = [f"{check}: stands not in {TABLE.name}" for check in sorted(checks - set(by_check))]
    lacking += [f"{check}: there is no such check" for check in sorted(set(by_check) - checks)]
    for case in cases:
        lacking += [] if case.weak else [f"{case.check}: no test with a weak target"]
        lacking += [] if case.sound else [f"{case.check}: no test with a sound target"]
        lacking += [] if case.evidence else [f"{case.check}: no words of its evidence"]
        if case.fix is not FixKind.WORDS and not case.mended:
            lacking.append(f"{case.check}: its fix ({case.fix}) is tried in no test")
    return lacking


def test_each_check_has_a_weak_and_a_sound_target_and_a_fix_that_was_tried() -> None:
    checks = {check.id for check in find_checks()}
    lacking = missing_of(checks, read_matrix(TABLE))
    assert not lacking, "\n".join(lacking)


def test_items_are_those_of_the_checks() -> None:
    items = {check.id: int(check.item) for check in find_checks()}
    assert {case.check: case.item for case in read_matrix(TABLE)} == items


def test_the_tests_that_are_named_exist(repository: Path) -> None:
    """While they run, `tests/conftest.py` looks whether they show what they are named for."""
    files = sorted((repository / "tests").glob(f"*/{PREFIX}*.py"))
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=repository,
    )
    assert listed.returncode == 0, listed.stdout + listed.stderr
    names = {
        f"{Path(path).stem.removeprefix(PREFIX)}:{name}"
        for path, _, name in (line.partition("::") for line in listed.stdout.splitlines())
        if name
    }
    named = {
        (case.check, test)
        for case in read_matrix(TABLE)
        for test in (case.weak, case.sound, case.mended)
        if test
    }
    gone = sorted(f"{check}: {test}" for check, test in named if test not in names)
    assert not gone, "\n".join(gone)


# The table is only as good as what judges it.

CASE = Case(
    "tls.protocol.old", 7, "TLS 1.0", "tls:weak", "tls:sound", FixKind.COMMAND, "tls:mended"
)


def result(status: Status, evidence: str = "TLS 1.0 is spoken", fix: Fix | None = None) -> Result:
    return Result(
        target="t",
        check=CASE.check,
        item=Item.TRANSFER_AND_STORAGE,
        status=status,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        evidence=evidence,
        fix=fix,
        location=None,
        fingerprint="0" * 32,
        reproduce=None,
        waived=None,
    )


WEAK = result(Status.FAIL, fix=Fix("Turn it off.", "true"))
PASSED = result(Status.PASS)
UNKNOWN = result(Status.UNKNOWN)


@pytest.mark.parametrize(
    ("test", "audits", "is_shown"),
    [
        ("tls:weak", [[WEAK]], True),
        ("tls:weak", [], False),
        ("tls:weak", [[PASSED]], False),
        ("tls:weak", [[replace(WEAK, evidence="something else")]], False),
        ("tls:weak", [[replace(WEAK, item=Item.PRIVACY)]], False),
        ("tls:weak", [[replace(WEAK, fix=None)]], False),
        ("tls:weak", [[replace(WEAK, check="tls.cipher.weak")]], False),
        ("tls:sound", [[PASSED]], True),
        ("tls:sound", [[UNKNOWN]], False),
        ("tls:sound", [[PASSED, UNKNOWN]], False),
        ("tls:sound", [[result(Status.NOT_APPLICABLE)]], False),
        ("tls:mended", [[WEAK], [PASSED]], True),
        ("tls:mended", [[PASSED], [WEAK]], False),
        ("tls:mended", [[WEAK], [UNKNOWN]], False),
        ("tls:mended", [[replace(WEAK, fix=Fix("Turn it off."))], [PASSED]], False),
        ("tls:other", [], True),
    ],
)
def test_what_a_test_shows_is_judged(test: str, audits: list[list[Result]], is_shown: bool) -> None:
    assert (not not_shown(test, [CASE], audits)) is is_shown


def test_a_check_without_its_cases_is_named() -> None:
    only_weak = replace(CASE, sound="", mended="")
    assert missing_of({CASE.check, "tls.new.one"}, (only_weak,)) == [
        "tls.new.one: stands not in audit-matrix.toml",
        "tls.protocol.old: no test with a sound target",
        "tls.protocol.old: its fix (command) is tried in no test",
    ]
    assert missing_of(set(), (CASE,)) == ["tls.protocol.old: there is no such check"]
