"""Commands from a person's shell to a real device and back, whatever ends in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seawall.model.command import CommandState, QueuedCommand
from seawall.operations.installation import Installation
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.testing.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

HEAP = "32k"
NAME = "greenhouse-1"
BROKERS = ["builtin", "mosquitto"]


class Site:
    """An installation with one device; neither the daemon nor the device runs yet."""

    def __init__(self, folder: Path, broker: Any) -> None:
        self.state = folder / "state"
        self.installation: Installation = make_installation(self.state, broker=broker)
        self.daemon = DaemonProcess(self.state, folder / "daemon.log")
        fleet = Fleet(self.installation, folder / "devices", find_runtime(), interval_ms=500)
        fleet.folder.mkdir()
        self.device: DeviceProcess = fleet.add(NAME)
        self.device.heap = HEAP

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``seawall device ...`` as a person would."""
        return subprocess.run(
            [sys.executable, "-m", "seawall", "device", *words, "--state", str(self.state)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def facts(self, *words: str) -> Any:
        """Run the same with ``--json``, and return what it printed."""
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr + self.daemon.log()
        return json.loads(done.stdout)

    def commands(self) -> list[QueuedCommand]:
        return self.installation.store.commands(device_id=NAME)

    def states(self) -> list[str]:
        return [command.state.value for command in self.commands()]

    def obeyed(self, name: str) -> int:
        """Return how often the device obeyed a command of this name."""
        return sum(line.endswith(f"command {name}") for line in self.device.lines())

    def refused(self) -> list[str]:
        """Return why the device refused commands."""
        return [
            line.rsplit(" ", 1)[1] for line in self.device.lines() if "command refused:" in line
        ]

    def is_connected(self) -> bool:
        return any("stored boot=" in line for line in self.device.lines())


@pytest.fixture(params=BROKERS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, request.param)
    yield site
    site.device.kill()
    if site.daemon.pid is not None and site.daemon.returncode is None:
        site.daemon.stop()
    site.installation.store.close()


WaitUntil = Callable[..., Any]


@pytest.fixture
def running(site: Site, wait_until: WaitUntil) -> Site:
    site.daemon.start()
    site.daemon.wait_ready()
    site.device.start()
    wait_until(site.is_connected, 30, "the device to connect")
    return site


def test_a_person_orders_and_sees_the_answer(running: Site, wait_until: WaitUntil) -> None:
    said = running.run("identify", NAME)
    assert said.returncode == 0, said.stderr
    assert "answered in " in said.stdout
    facts = running.facts("interval", NAME, "250ms")
    assert (facts["state"], facts["interval_ms"], facts["daemon"]) == ("answered", 250, True)
    assert facts["answer"]["ok"] is True
    assert facts["answered_ms"] - facts["at_ms"] < 2000
    assert running.facts("show", NAME)["interval_ms"] == 250
    listed = running.facts("commands", NAME)
    assert [(each["command"], each["state"]) for each in listed] == [
        ("identify", "answered"),
        ("interval", "answered"),
    ]
    assert (running.obeyed("identify"), running.obeyed("interval")) == (1, 1)
    assert running.refused() == []


def test_a_device_starts_again_and_goes_on_obeying(running: Site, wait_until: WaitUntil) -> None:
    assert running.facts("restart", NAME)["state"] == "answered"
    wait_until(lambda: any("boot=2" in line for line in running.device.lines()), 20)
    # Numbers are greater than what its flash remembers.
    assert running.facts("identify", NAME, "--wait", "30")["state"] == "answered"
    assert (running.obeyed("restart"), running.obeyed("identify")) == (1, 1)
    assert running.refused() == []


def test_without_a_daemon_it_is_queued_and_delivered_later(
    site: Site, wait_until: WaitUntil
) -> None:
    said = site.run("identify", NAME)
    assert said.returncode == 0
    assert "No daemon runs" in said.stderr
    assert site.states() == ["queued"]
    assert site.run("identify", NAME, "--wait", "0.1").returncode == 1
    site.device.start()
    site.daemon.start()
    wait_until(lambda: site.states() == ["answered", "answered"], 30, "answers")
    assert site.obeyed("identify") == 2


def test_a_sleeping_device_gets_it_when_it_wakes(running: Site, wait_until: WaitUntil) -> None:
    running.device.kill()
    kinds = running.installation.store.events
    wait_until(lambda: any(each.kind == "device-disconnected" for each in kinds()), 60, "its will")
    said = running.run("interval", NAME, "1s")
    assert said.returncode == 0
    assert "when the device connects" in said.stderr
    assert running.states() == ["queued"]
    running.device.start()
    wait_until(lambda: running.states() == ["answered"], 30, "the answer")
    assert running.obeyed("interval") == 1
    assert running.refused() == []


def test_a_daemon_killed_between_queue_and_delivery_loses_nothing(
    running: Site, wait_until: WaitUntil
) -> None:
    running.device.kill()
    said = running.run("identify", NAME, "--wait", "0")
    assert said.returncode == 1
    running.daemon.kill()
    assert running.states()[0] in ("queued", "sent")
    running.device.start()
    running.daemon.start()
    running.daemon.wait_ready()
    wait_until(lambda: running.states() == ["answered"], 30, "the answer")
    assert running.obeyed("identify") == 1


def test_a_command_that_is_played_again_is_refused_by_the_device(
    running: Site, wait_until: WaitUntil
) -> None:
    store = running.installation.store
    running.device.kill()
    running.run("identify", NAME, "--wait", "0")
    (recorded,) = running.commands()
    running.device.start()
    wait_until(lambda: running.states() == ["answered"], 30, "the answer")
    assert store.commands()[0].payload == b""
    # Somebody who recorded it, and can write into the queue, orders it again.
    again = QueuedCommand(NAME, recorded.n + 1, "identify", recorded.payload, recorded.at_ms + 1)
    store.add_command(again, running.installation.event("command-queued", NAME))
    wait_until(lambda: running.refused() == ["replay"], 20, "the device to refuse")
    assert running.obeyed("identify") == 1
    wait_until(lambda: store.commands()[1].state is CommandState.SENT, 10, "it to be noted")
    # It stands in the way of nothing, and the next answer closes it.
    assert running.facts("identify", NAME)["state"] == "answered"
    assert running.states() == ["answered", "superseded", "answered"]
