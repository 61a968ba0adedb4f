"""Which test shows what of each check of the audit, and whether it really does.

``tests/audit-matrix.toml`` names for each check a test in which a real target fails it, one in
which a sound target passes, and one in which the printed fix makes the target clean. While a test
that is named there runs, the results of its audits are looked at: what it is named for has to
happen in it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Final

from seawall.model.finding import Fix, Result, Status

PREFIX: Final = "test_audit_"


class FixKind(StrEnum):
    """How the fix of a check is tried."""

    COMMAND = "command"
    """It is run as printed."""
    CHANGE = "change"
    """Its changes of files are applied."""
    SETTING = "setting"
    """The setting or the code that it names is put in."""
    WORDS = "words"
    """It can only be words (a device to replace, a service to stop): the sound twin shows it."""


@dataclass(frozen=True)
class Case:
    """What is shown of one check.

    Attributes:
        check: Its id.
        item: Of the ten, as a number.
        evidence: Words that the evidence of the weak target holds.
        weak: Test in which a target fails it, as ``AREA:NAME`` of ``test_audit_AREA.py``.
        sound: Test in which a target passes it.
        fix: How the fix is tried.
        mended: Test in which a target fails it, and does no longer once the fix is made; may be
            left out where there are only words.
        is_never_passed: The check is silent (not applicable) where there is nothing to judge.
    """

    check: str
    item: int
    evidence: str
    weak: str
    sound: str
    fix: FixKind
    mended: str = ""
    is_never_passed: bool = False


def read_matrix(path: Path) -> tuple[Case, ...]:
    """Return the cases of the table, in its order."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Case(check, **{**members, "fix": FixKind(members["fix"])})
        for check, members in tables.items()
    )


@cache
def cases_by_test(path: Path) -> dict[str, tuple[Case, ...]]:
    """Return the cases that name each test."""
    found: dict[str, tuple[Case, ...]] = {}
    for case in read_matrix(path):
        for test in {case.weak, case.sound, case.mended} - {""}:
            found[test] = (*found.get(test, ()), case)
    return found


def name_of(path: Path, test: str) -> str:
    """Return what the table calls a test of a file."""
    return f"{path.stem.removeprefix(PREFIX)}:{test}"


def not_shown(test: str, cases: Iterable[Case], audits: Sequence[Sequence[Result]]) -> list[str]:
    """Return what a test is named for and did not show, in words.

    Args:
        test: Its name in the table.
        cases: That name it.
        audits: Results of each check that was made in it, one after the other.
    """
    missing = []
    for case in cases:
        of_check = [each for each in audits if each and each[0].check == case.check]
        if test == case.weak and not any(_is_weak(case, each) for each in of_check):
            missing.append(f"{case.check}: no failure of item {case.item} with {case.evidence!r}")
        if test == case.sound and not any(_is_sound(case, each) for each in of_check):
            missing.append(f"{case.check}: it did not pass")
        if test == case.mended and not _is_mended(case, of_check):
            missing.append(f"{case.check}: no failure with a {case.fix} that was clean later on")
    return missing


def _is_weak(case: Case, results: Sequence[Result]) -> bool:
    return any(
        each.status is Status.FAIL
        and int(each.item) == case.item
        and case.evidence in each.evidence
        and _is_of_kind(case.fix, each.fix)
        for each in results
    )


def _is_sound(case: Case, results: Sequence[Result]) -> bool:
    silent = {Status.PASS, Status.NOT_APPLICABLE} if case.is_never_passed else {Status.PASS}
    return {each.status for each in results} <= silent


def _is_mended(case: Case, audits: Sequence[Sequence[Result]]) -> bool:
    failed = False
    for results in audits:
        failures = [each for each in results if each.status is Status.FAIL]
        clean = not failures and all(each.status is not Status.UNKNOWN for each in results)
        if failed and clean:
            return True
        failed = failed or any(_is_of_kind(case.fix, each.fix) for each in failures)
    return False


def _is_of_kind(kind: FixKind, fix: Fix | None) -> bool:
    if fix is None:
        return False
    if kind is FixKind.COMMAND:
        return fix.command is not None
    if kind is FixKind.CHANGE:
        return bool(fix.changes)
    # What is printed to be run or applied has to be tried so.
    return bool(fix.text) and fix.command is None and not fix.changes
