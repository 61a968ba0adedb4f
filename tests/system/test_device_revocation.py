"""Revoking and disabling while ``seawall up`` runs, on both drivers, end to end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seawall.cli.exit_codes import ExitCode
from seawall.devices.proof import Outcome, Prover
from seawall.pki.keystore import Keystore

pytestmark = pytest.mark.system


class Service:
    """``seawall up`` on a state directory of its own."""

    def __init__(self, state: Path, broker: str, wait_until: Callable[..., object]) -> None:
        self.state = state
        self.run("init", "--broker", broker, "--mqtt-port", "0", "--web-port", "0")
        for name in ("cellar", "attic"):
            self.run("device", "add", name)
        with (state.parent / "up.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "seawall.cli.main", "up", "--state", str(state)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        running = state / "run" / "daemon.json"
        wait_until(running.exists, 20, "seawall up")
        self.port: int = json.loads(running.read_bytes())["mqtt_port"]

    def run(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "seawall.cli.main", *arguments],
            env={**os.environ, "SEAWALL_STATE": str(self.state)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def connect(self, device_id: str, wait_s: float = 0) -> Outcome:
        """Connect as a device once; or, with a time, until it is refused."""
        keystore = Keystore.open(self.state / "pki")
        return Prover(keystore, "127.0.0.1", self.port, "localhost", wait_s)(device_id).outcome

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(20) == 0


@pytest.fixture(params=["builtin", "mosquitto"])
def service(
    request: pytest.FixtureRequest, tmp_path: Path, wait_until: Callable[..., object]
) -> Iterator[Service]:
    service = Service(tmp_path / "state", request.param, wait_until)
    yield service
    service.stop()


def test_a_revocation_is_proven_against_the_running_service(service: Service) -> None:
    assert service.connect("cellar") is Outcome.ACCEPTED
    revoked = json.loads(service.run("device", "revoke", "cellar", "--json"))
    assert revoked["proof"]["proven"], revoked
    shown = json.loads(service.run("device", "show", "cellar", "--json"))
    assert "revocation-proven" in [event["kind"] for event in shown["events"]]
    # The others do not notice, and the proof can be had again.
    assert service.connect("attic") is Outcome.ACCEPTED
    again = json.loads(service.run("device", "revoke", "cellar", "--json"))
    assert (again["was_revoked"], again["proof"]["proven"]) == (True, True)


def test_a_disabled_device_is_shut_out_and_comes_back(
    service: Service, wait_until: Callable[..., object]
) -> None:
    service.run("device", "disable", "cellar")
    if json.loads((service.state / "run" / "daemon.json").read_bytes())["broker"] == "builtin":
        assert service.connect("cellar", wait_s=5) is Outcome.REFUSED
    service.run("device", "enable", "cellar")
    wait_until(lambda: service.connect("cellar") is Outcome.ACCEPTED, 10)


def test_a_device_is_known_without_a_restart(
    service: Service, wait_until: Callable[..., object]
) -> None:
    service.run("device", "add", "late")
    wait_until(lambda: service.connect("late") is Outcome.ACCEPTED, 10)
    service.run("device", "add", "late", status=ExitCode.CONFLICT)
