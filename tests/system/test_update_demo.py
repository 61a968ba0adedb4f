"""`seawall demo --update` from outside: a good release, a bad one, and a roll-out that halts."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system


@pytest.mark.parametrize("broker", ["builtin", "mosquitto"])
def test_the_fleet_is_updated_and_goes_back(broker: str) -> None:
    answer = subprocess.run(
        [
            *(sys.executable, "-m", "seawall", "demo", "--update", "--json"),
            *("--devices", "3", "--broker", broker),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    facts = json.loads(answer.stdout)
    assert facts["readings_verified"] == facts["readings_stored"]
    assert set(facts["refused"]) <= {"bad-signature", "replay"}
    update = facts["update"]
    good, bad = update["rollouts"]
    assert (update["from"], good["version"], bad["version"]) == ("1", "2", "3")
    assert good["state"] == "complete"
    assert good["devices"] == {"confirmed": 3}
    assert bad["state"] == "halted"
    assert bad["cohort"] == 1
    assert list(bad["rolled_back"].values()) == ["no-connection"]
    assert bad["devices"] == {"rolled-back": 1, "waiting": 2}
    assert update["versions"] == {"2": 3}
