"""The fuzz targets, on a fixed set of streams; `python -m fuzz.mqtt` goes on for longer."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

_PATH = Path(__file__).resolve().parents[2] / "fuzz" / "mqtt.py"
_SPEC = importlib.util.spec_from_file_location("seawall_fuzz_mqtt", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
FUZZ = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(FUZZ)


@pytest.mark.parametrize("target", sorted(FUZZ.TARGETS))
def test_damaged_streams(target):
    for seed in range(3000):
        FUZZ.TARGETS[target](FUZZ.stream(random.Random(seed)))


@given(st.binary(max_size=300), st.sampled_from(sorted(FUZZ.TARGETS)))
def test_any_bytes(data, target):
    FUZZ.TARGETS[target](data)


def test_a_target_notices_what_it_is_for(monkeypatch):
    """A machine that takes everything is found out."""
    accept = FUZZ.ServerConnection.accept

    def lax(self, session, **options):
        options["may_publish"] = lambda _topic: True
        return accept(self, session, **options)

    monkeypatch.setattr(FUZZ.ServerConnection, "accept", lax)

    def run() -> None:
        for seed in range(500):
            FUZZ.server(FUZZ.stream(random.Random(seed)))

    with pytest.raises(AssertionError, match="was taken"):
        run()
