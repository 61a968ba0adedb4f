"""The benchmark of ingest still runs and says what it promises; the figures are not judged here."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.system


def test_every_contender_is_measured(repository, program):
    program("mosquitto")
    program("mosquitto_sub")
    done = subprocess.run(
        [sys.executable, "-m", "bench.ingest", "--json", "--rounds", "1", "--messages", "2000",
         "--devices", "10"],
        cwd=repository, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["qos"] == 1
    assert facts["messages"] == 2000
    for transport in ("plain", "tls"):
        contenders = facts["summary"][transport]
        assert set(contenders) == {"builtin", "behind-mosquitto", "mosquitto_sub", "paho"}
        for measured in contenders.values():
            assert measured["per_core"] > 0
            assert measured["per_second"] > 0
        assert contenders["builtin"]["target"] == 3.5
        assert contenders["behind-mosquitto"]["times_paho"] > 0
