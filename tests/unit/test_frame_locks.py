"""The locks fit pyproject.toml and each other, and every file in them has a hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-node.lock")
PIN = re.compile(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)[^\n]*\\\n((?:    --hash=.*\n)+)")


def _pins(lock: str) -> dict[str, Version]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = {canonicalize_name(name): Version(version) for name, version, _ in PIN.findall(text)}
    assert len(found) == len(re.findall(r"(?m)^[a-z0-9].*==", text))
    return found


def _lacking(requirements: list[str], pins: dict[str, Version]) -> list[str]:
    wanted = [Requirement(each) for each in requirements]
    return [
        str(each)
        for each in wanted
        if (pinned := pins.get(canonicalize_name(each.name))) is None
        or not each.specifier.contains(pinned, prereleases=True)
    ]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_no_lock_names_an_index(lock: str) -> None:
    assert _pins(lock)
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "index-url" not in text
    assert "find-links" not in text
    assert "://" not in text


def test_locks_satisfy_the_project() -> None:
    running = [*PROJECT["project"]["dependencies"]]
    running += PROJECT["project"]["optional-dependencies"]["demo"]
    running += PROJECT["dependency-groups"]["build"]
    assert _lacking(running, _pins("requirements.lock")) == []
    developing = running + PROJECT["dependency-groups"]["dev"]
    assert _lacking(developing, _pins("requirements-dev.lock")) == []
    assert _lacking(PROJECT["dependency-groups"]["node"], _pins("requirements-node.lock")) == []


def test_tests_run_on_what_people_get() -> None:
    people, developers = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert {name: developers.get(name) for name in people} == people
