"""New versions that fail: each way of failing leads back to the old one, which says why."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from agent_rig import Agent, Connection, EndedError, ScriptedServer, good
from update_rig import (
    APPLICATION,
    UpdateSite,
    reports,
    slot_is_whole,
    slots,
    update_site_in,
    wait_report,
    wait_version,
)

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

TRIAL_S = 5
HANGS = "def start(agent):\n    while True:\n        pass\n"
SLEEPS = "import time\ndef start(agent):\n    time.sleep(1000)\n"
RAISES = "def start(agent):\n    raise ValueError('new')\n"
RAISES_LATER = """
from seawall_agent import core


def start(agent):
    agent.measure = None
"""
LEAVES = "import sys\ndef start(agent):\n    sys.exit(0)\n"
STUCK = "def start(agent):\n    agent.link.step = lambda: None\n"
NOWHERE = """
def start(agent):
    agent.link.broker = ("127.0.0.1", 1) + agent.link.broker[2:]
"""
SILENT = "def start(agent):\n    agent.sensors.clear()\n"
AWAITS = """
from seawall_agent import core


async def forever():
    while True:
        await core.sleep_ms(1000)


def start(agent):
    agent.run = forever
"""
DIES = "import os\ndef start(agent):\n    os.system('kill -9 $PPID')\n"
ONCE = """
    try:
        open("restarted").close()
    except OSError:
        open("restarted", "w").close()
        agent.again = True
"""
IGNORES = """
def start(agent):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UpdateSite]:
    with update_site_in(tmp_path_factory.mktemp("trials") / "site") as site:
        yield site


def _tried(
    site: UpdateSite, name: str, application: str, *scripts: Any
) -> tuple[ScriptedServer, Agent, int]:
    server = site.broker(*scripts)
    agent = site.agent(name, server).start()
    agent.wait_stored(2)
    release = site.release({"application.py": application})
    return server, agent, site.order(server, agent, release, trial_s=TRIAL_S)


def _went_back(server: ScriptedServer, agent: Agent, n: int) -> dict[str, Any]:
    report = wait_report(server, agent, n, "rolled-back", "confirmed", "failed", "refused")
    assert report["state"] == "rolled-back", report
    assert report["again"] is False
    found = slots(agent)
    assert (found["live"], found["trial"], found["floor"]) == ("a", "-", "0")
    assert slot_is_whole(agent.bundle / "a")
    wait_version(server, agent, None, 3)
    agent.wait(lambda: slots(agent)["outcome"] == "-", what="the outcome told")
    running = [e for e in server.bodies(agent, "events") if e["event"] == "running"]
    assert (running[-1]["version"], running[-1]["trial"]) == ("0", False)
    return report


@pytest.mark.parametrize(
    ("name", "application", "reason"),
    [
        ("raises", RAISES, "crashed"),
        ("raises-later", RAISES_LATER, "crashed"),
        ("leaves", LEAVES, "crashed"),
        ("stuck", STUCK, "no-connection"),
        ("nowhere", NOWHERE, "no-connection"),
        ("silent", SILENT, "rejected"),
        ("awaits", AWAITS, "no-connection"),
        ("hangs", HANGS, "no-connection"),
        ("sleeps", SLEEPS, "no-connection"),
    ],
)
def test_a_version_that_fails_is_taken_back(
    site: UpdateSite, name: str, application: str, reason: str
) -> None:
    server, agent, n = _tried(site, f"{name}-1", application)
    assert _went_back(server, agent, n)["reason"] == reason
    assert agent.is_alive, "the same process goes on"


def test_after_a_bad_version_a_good_one_is_taken(site: UpdateSite) -> None:
    server, agent, n = _tried(site, "twice-1", RAISES)
    _went_back(server, agent, n)
    good_one = site.release()
    n = site.order(server, agent, good_one)
    report = wait_report(server, agent, n, "confirmed", "failed", "refused", "rolled-back")
    assert report["state"] == "confirmed"
    wait_version(server, agent, good_one[1], 3)


def _refuse(connection: Connection) -> None:
    connection.handshake()
    connection.packet()
    connection.send(b"\x20\2\0\5")  # not authorised (MQTT 3.1.1, 3.2.2.3)
    raise EndedError


def test_a_version_that_the_server_refuses_is_taken_back(site: UpdateSite) -> None:
    old_is_back = threading.Event()

    def later(connection: Connection) -> None:
        (good if old_is_back.is_set() else _refuse)(connection)

    server, agent, n = _tried(site, "rejected-1", APPLICATION % 1, good, later)
    agent.wait_line("rolled back")
    old_is_back.set()
    assert _went_back(server, agent, n)["reason"] == "rejected"


def test_a_server_that_stores_nothing_confirms_nothing(site: UpdateSite) -> None:
    old_is_back = threading.Event()

    def later(connection: Connection) -> None:
        good(connection, answers=lambda kind: kind != 3 or old_is_back.is_set())

    server, agent, n = _tried(site, "unstored-1", APPLICATION % 1, good, later)
    agent.wait_line("rolled back")
    old_is_back.set()
    assert _went_back(server, agent, n)["reason"] == "rejected"


def test_a_device_that_dies_in_each_boot_of_a_trial_goes_back(site: UpdateSite) -> None:
    server, agent, n = _tried(site, "dies-1", DIES)
    for tries in ("2", "1", "0"):
        deadline = time.monotonic() + 20
        while agent.is_alive:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert slots(agent)["tries"] == tries, "burnt before its code ran"
        agent.start()
    assert _went_back(server, agent, n)["reason"] == "boot-loop"


def test_what_ignores_every_signal_is_killed_and_the_next_start_is_the_old_one(
    site: UpdateSite,
) -> None:
    server, agent, n = _tried(site, "ignores-1", IGNORES)
    agent.wait_line("rolled back")
    deadline = time.monotonic() + 20
    while agent.is_alive:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    agent.start()
    assert _went_back(server, agent, n)["reason"] == "no-connection"


def test_a_restart_on_trial_costs_a_try_and_no_more(site: UpdateSite) -> None:
    code = APPLICATION % 7 + ONCE
    server, agent, n = _tried(site, "restarts-1", code)
    report = wait_report(server, agent, n, "confirmed", "rolled-back")
    assert report["state"] == "confirmed"
    assert [each["state"] for each in reports(server, agent, n)][-1] == "confirmed"
    assert max(agent.boots()) == 3
