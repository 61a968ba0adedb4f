"""Whole roll-outs: a real daemon, real connections, devices that play their parts by a script."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seawall.daemon.lock import wait_taken_in
from seawall.devices.lifecycle import NewDevice
from seawall.model.device import Board
from seawall.model.rollout import Plan, RolloutState, Way, WayState
from seawall.operations.add_device import add_device
from seawall.operations.show_rollout import show_rollout
from seawall.operations.start_rollout import NewRollout, start_rollout
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.scripted_device import (
    Script,
    ScriptedDevice,
    confirms,
    is_busy_first,
    refuses,
    rolls_back,
    says_nothing,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

PASSPHRASE = "correct horse battery staple"
WaitUntil = Callable[..., Any]


class Site:
    """An installation with published releases; neither its daemon nor a device runs yet."""

    def __init__(self, folder: Path, broker: Any) -> None:
        self.folder = folder
        self.installation = make_installation(folder / "state", broker=broker)
        self.daemon = DaemonProcess(folder / "state", folder / "daemon.log")
        self.devices: dict[str, ScriptedDevice] = {}

    def run(self, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``seawall ...`` as a person would."""
        read, write = os.pipe()
        os.write(write, f"{PASSPHRASE}\n".encode())
        os.close(write)
        line = [each.replace("FD", str(read)) if each == "FD" else each for each in words]
        done = subprocess.run(
            [sys.executable, "-m", "seawall", *line, "--state", str(self.folder / "state")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            pass_fds=[read],
            cwd=self.folder,
        )
        os.close(read)
        assert done.returncode == status, done.stdout + done.stderr + self.daemon.log()
        return done

    def json(self, *words: str, status: int = 0) -> Any:
        """Run the same with ``--json``, and return what it printed."""
        return json.loads(self.run(*words, "--json", status=status).stdout)

    def publish(self, *versions: str) -> None:
        """Build, sign and publish releases of nothing but the agent."""
        (self.folder / "application").mkdir()
        self.run("release", "keys", "create", "--passphrase-fd", "FD")
        archives = []
        for version in versions:
            archive = str(self.folder / f"{version}.zip")
            self.run("release", "build", "application", "--version", version, "--out", archive)
            archives.append(archive)
        self.run("release", "publish", *archives, "--passphrase-fd", "FD")

    def add(self, device_id: str, script: Script = confirms) -> ScriptedDevice:
        add_device(self.installation, NewDevice(device_id))
        port = self.installation.settings.mqtt.port
        device = ScriptedDevice(self.installation, self.folder, device_id, port, script)
        self.devices[device_id] = device
        return device

    def start(self) -> None:
        """Start the daemon, and wait until it knows everybody."""
        self.daemon.start()
        self.daemon.wait_ready()
        store = self.installation.store
        wait_taken_in(self.installation.paths, store.registry_revision())

    def ways(self) -> dict[str, Way]:
        return {way.device_id: way for way in show_rollout(self.installation).ways}

    def states(self) -> dict[str, str]:
        return {name: way.state.value for name, way in self.ways().items()}

    def state(self) -> RolloutState:
        return show_rollout(self.installation).rollout.state


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, getattr(request, "param", "builtin"))
    yield site
    for device in site.devices.values():
        device.gate.set()
        device.stop()
    if site.daemon.pid is not None and site.daemon.returncode is None:
        site.daemon.stop()
    site.installation.store.close()


@pytest.mark.parametrize("site", ["builtin", "mosquitto"], indirect=True)
def test_a_person_rolls_out_what_works_and_what_does_not(site: Site, wait_until: WaitUntil) -> None:
    site.publish("1.0", "2.0")
    for number in range(5):
        site.add(f"green-{number}")
    site.run("device", "group", "green-0", "north")
    site.run("device", "add", "green-esp", "--board", "esp32")
    site.run("device", "add", "green-off")
    site.run("device", "disable", "green-off")
    site.start()
    for device in site.devices.values():
        device.start()

    fast = ("--soak", "300ms", "--silence", "60s")
    started = site.json("rollout", "start", "unix/1.0", "--to", "green-*", *fast)
    assert started["left_out"] == {"other-board": ["green-esp"], "not-active": ["green-off"]}
    assert (started["rollout"], started["daemon"], len(started["devices"])) == ("r1", True, 5)
    watched = site.run("rollout", "status", "--watch", "--json").stdout.splitlines()
    end = json.loads(watched[-1])
    assert (end["state"], end["counts"]["confirmed"]) == ("complete", 5)
    steps = [step["state"] for step in end["devices"][0]["steps"]]
    assert steps == ["offered", "downloading", "verified", "trying", "confirmed"]
    assert [len(device.orders) for device in site.devices.values()] == [1] * 5
    listed = {each["device"]: each for each in site.json("device", "list")}
    assert {listed[name]["running"]["version"] for name in site.devices} == {"1.0"}
    assert listed["green-esp"]["running"] is None
    assert "1.0, slot b" in site.run("device", "show", "green-1").stdout

    for device in site.devices.values():
        device.script = rolls_back
    site.run("rollout", "start", "unix/2.0", *fast)
    site.run("rollout", "status", "--watch", status=1)
    shown = site.json("rollout", "status", "r2")
    assert shown["state"] == "halted"
    assert shown["reason"] == "cohort 1: 1 rolled-back (no-connection), of 1 that ended"
    assert shown["counts"]["rolled-back"] == 1
    assert sum(len(device.orders) for device in site.devices.values()) == 6
    assert "no-connection" in site.run("rollout", "status", "r2").stdout
    assert site.json("rollout", "abort")["state"] == "aborted"
    table = site.run("rollout", "list").stdout.splitlines()
    assert [line.split("\t")[:3] for line in table[1:]] == [
        ["r1", "unix/1.0", "complete"],
        ["r2", "unix/2.0", "aborted"],
    ]

    # Who failed is left out of the next; a group is one device.
    for device in site.devices.values():
        device.script = functools.partial(confirms, gate=True)
    again = site.json("rollout", "start", "unix/2.0", *fast)
    assert len(again["left_out"]["failed-before"]) == 1
    site.run("rollout", "pause")
    site.run("rollout", "pause", status=4)
    site.run("rollout", "abort", "r3")
    north = site.json("rollout", "start", "unix/2.0", "--group", "north", "--again", *fast)
    assert [each["device"] for each in north["devices"]] == ["green-0"]


def test_groups(site: Site) -> None:
    site.run("device", "add", "cellar", "--group", "north")
    site.run("device", "add", "attic")
    (found,) = site.json("device", "list", "--group", "north")
    assert (found["device"], found["group"], found["running"]) == ("cellar", "north", None)
    assert site.json("device", "group", "attic", "south")["group"] == "south"
    assert site.json("device", "group", "attic", "--none")["group"] == ""
    for words, status in [(("attic",), 2), (("attic", "a/b"), 2), (("nobody", "north"), 3)]:
        site.run("device", "group", *words, status=status)


def test_what_people_get_wrong(site: Site) -> None:
    site.run("rollout", "status", status=3)
    assert site.json("rollout", "list") == []
    assert "nothing is published" in site.run("rollout", "start", "1.0", status=3).stderr
    for option, value in [
        ("--cohorts", "50,10,100"),
        ("--cohorts", "1,x"),
        ("--halt-at", "x"),
        ("--halt-at", "101%"),
        ("--soak", "soon"),
        ("--trial", "500ms"),
        ("--trial", "0s"),
        ("--silence", "0s"),
    ]:
        site.run("rollout", "start", "1.0", option, value, status=2)


def test_a_rollout_goes_on_where_it_was_when_the_daemon_is_killed(
    site: Site, wait_until: WaitUntil
) -> None:
    site.publish("1.0")
    gated = functools.partial(confirms, gate=True)
    scripts = {"refuses": refuses, "rolls": rolls_back, "busy": is_busy_first}
    for name, script in scripts.items():
        site.add(name, script)
    held = [site.add(f"held-{number}", gated) for number in range(3)]
    site.start()
    for device in site.devices.values():
        device.start()
    plan = Plan(cohorts=(100,), soak_ms=100, halt_percent=100, silence_ms=600_000, retry_ms=1000)
    start_rollout(site.installation, NewRollout("unix/1.0", plan=plan))

    # Killed as soon as anything is decided, and again in the middle of everything.
    wait_until(lambda: set(site.states().values()) != {"waiting"}, 30)
    site.daemon.kill()
    site.start()
    there = {"refuses": "refused", "rolls": "rolled-back", "busy": "confirmed"}
    there |= {device.device_id: "trying" for device in held}
    wait_until(lambda: site.states() == there, 60, f"{there}, not {site.states()}")
    assert site.state() is RolloutState.RUNNING
    site.daemon.kill()
    for device in held:
        device.gate.set()  # it goes on before anybody listens again
    site.start()
    wait_until(lambda: site.state() is RolloutState.COMPLETE, 60, str(site.states()))

    counts = Counter(way.state for way in site.ways().values())
    assert counts == {WayState.CONFIRMED: 4, WayState.REFUSED: 1, WayState.ROLLED_BACK: 1}
    obeyed = {name: len(device.orders) for name, device in site.devices.items()}
    assert obeyed == {name: 2 if name == "busy" else 1 for name in site.devices}
    assert {name: way.attempts for name, way in site.ways().items()} == obeyed
    queued = site.installation.store.commands()
    assert len(queued) == sum(obeyed.values())
    assert {command.name for command in queued} == {"update"}


def test_silence_halts_and_calls_back(site: Site, wait_until: WaitUntil) -> None:
    site.publish("1.0")
    gone = site.add("gone", says_nothing)
    site.start()
    gone.start()
    plan = Plan(cohorts=(100,), silence_ms=1000)
    start_rollout(site.installation, NewRollout("unix/1.0", plan=plan))
    wait_until(lambda: site.state() is RolloutState.HALTED, 30)
    details = show_rollout(site.installation)
    assert details.rollout.reason == "cohort 1: 1 silent, of 1 that ended"
    assert Board(details.rollout.board) is Board.UNIX
    assert "halted" in site.daemon.log()
    wait_until(lambda: gone.aborts == 1, 30, "its order is not taken back")
    assert len(gone.orders) == 1
    assert site.states() == {"gone": "silent"}
