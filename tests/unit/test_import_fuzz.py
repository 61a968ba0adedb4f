"""The fuzz targets of import and export; `python -m fuzz.transfer --seed S` goes on elsewhere."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))
FUZZ: Any = importlib.import_module("fuzz.transfer")
LEAST = 100_000
"""Inputs over all parsers, each run."""


@pytest.mark.parametrize("target", sorted(FUZZ.TARGETS))
def test_damaged_inputs(target: str) -> None:
    """Nothing unexpected is raised; the seeds are the numbers from 0, and printed on failure."""
    inputs = FUZZ.TARGETS[target].inputs
    assert FUZZ.fuzz(target, inputs, seed=0) == inputs


def test_so_many_inputs_are_fed() -> None:
    assert sum(each.inputs for each in FUZZ.TARGETS.values()) >= LEAST


def test_the_same_seed_feeds_the_same_bytes() -> None:
    target = FUZZ.TARGETS["json"]
    first, again = (
        [FUZZ.damaged(FUZZ.random.Random(seed), target.samples, target.words) for seed in range(50)]
        for _ in range(2)
    )
    assert first == again
    assert len(set(first)) > 40


def test_a_target_notices_an_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_text: str) -> Any:
        raise ValueError("nobody expects this")

    monkeypatch.setattr(FUZZ.query, "sort_of", broken)
    with pytest.raises(ValueError, match="nobody expects"):
        FUZZ.fuzz("queries", 10, seed=3)
    assert "queries fails: --seed 3 --inputs 1" in capsys.readouterr().out


@pytest.mark.parametrize("target", ["columns", "json_lines"])
def test_a_target_notices_a_fast_path_that_differs(
    monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    """One bit of every document, and the comparison fails: the fast paths are taken."""
    block = FUZZ.documents.Block

    def changed(self: Any) -> Any:
        for raw in raws(self):
            yield raw[:-2] + bytes((raw[-2] ^ 1, raw[-1]))

    raws = block.raw
    if target == "columns":
        monkeypatch.setattr(block, "raw", changed)
    else:
        lines = FUZZ.documents_of_lines
        monkeypatch.setattr(
            FUZZ, "documents_of_lines", lambda *a: FUZZ.documents.block_of(list(changed(lines(*a))))
        )
    with pytest.raises(AssertionError, match="differ"):
        FUZZ.fuzz(target, 500, seed=0)
