"""The power-cut sweep: nothing fails, and it would have noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any, Final

import pytest

COMMAND: Final = (sys.executable, "-m", "seawall.testing.sweep_command", "--json")
TIMEOUT_S: Final = 1200  # it takes a tenth of that

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT_S)]


def _sweep(*options: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_every_cut_leaves_a_device_that_boots_a_whole_version() -> None:
    """At every operation, in four modes, on both file systems, new and old, and cut again."""
    status, found = _sweep("--mutants", "none")
    assert found["failing"] == []
    assert status == 0
    assert found["cut_points"] >= 10_000
    assert found["second_cuts"] >= 500
    assert all(count >= 2_000 for count in found["modes"].values())
    for file_system in ("lfs", "fat"):
        for age in ("fresh", "aged"):
            phases = found["file_systems"][file_system]["updating"][age]
            assert {"order", "download", "begin-trial", "trial", "confirm"} <= set(phases)
            assert {"report", "roll-back", "second-cut"} <= set(phases)


def test_every_planted_bug_is_caught() -> None:
    """The sweep tests itself: a bug that it does not see, or cannot plant any more, fails it."""
    status, found = _sweep("--mutants", "only")
    assert found["surviving"] == {}
    assert found["failing"] == []  # of the few cuts that are made without a bug
    assert status == 0
    assert found["mutants_killed"] == found["mutants"] >= 10
