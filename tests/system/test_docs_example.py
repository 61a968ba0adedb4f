"""What the guides tell people to do works: an installation, a device, the example client."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
Seawall = Callable[..., str]


@pytest.fixture
def seawall(tmp_path: Path) -> Seawall:
    """Return a function that runs a command on an installation of its own, as a person would."""

    def call(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "seawall", *words, "--state", str(tmp_path / "state")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return call


@pytest.fixture(params=["builtin", "mosquitto"])
def running(seawall: Seawall, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Seawall]:
    """An installation that is up."""
    ports = ("--mqtt-host", "127.0.0.1", "--mqtt-port", "0", "--web-port", "0")
    seawall("init", "--broker", request.param, *ports)
    log = tmp_path / "up.log"
    with (
        log.open("w") as words,
        subprocess.Popen(
            [sys.executable, "-m", "seawall", "up", "--state", str(tmp_path / "state")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
        ) as daemon,
    ):
        try:
            assert daemon.stdout is not None
            assert daemon.stdout.readline().startswith("ready: "), log.read_text()
            yield seawall
            daemon.terminate()
            assert daemon.wait(30) == 0, log.read_text()
        finally:
            daemon.kill()


def test_first_device_and_the_plain_client(running: Seawall, tmp_path: Path) -> None:
    bundle = tmp_path / "attic"
    running("device", "add", "attic", "--profile", "plain")
    running("device", "bundle", "attic", "--out", str(bundle))

    shown = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "plain_client.py"), str(bundle), "3"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("stored {") == 3

    assert len(json.loads(running("readings", "attic", "--json"))) == 3
