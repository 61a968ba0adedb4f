"""`seawall demo` from outside."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize("broker", ["builtin", "mosquitto"])
def test_the_demo_verifies_stores_and_refuses(broker: str) -> None:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "seawall", "demo", "--devices", "5"),
            *("--duration-s", "25", "--json", "--broker", broker),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    facts = json.loads(answer.stdout)
    assert facts["devices"] == facts["connected"] == 5
    assert facts["readings_verified"] == facts["readings_stored"] > 100
    assert facts["refused"]["bad-signature"] > 0
    assert facts["refused"]["replay"] > 0
    assert set(facts["refused"]) == {"bad-signature", "replay"}
    assert facts["device_runtime"].startswith("MicroPython 1.")
    assert facts["broker"] == broker
    assert facts["first_reading_s"] < 15
