"""Configurations that are wrong, and sensors that fail: said in one line, or in one event."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_rig import Agent, ScriptedServer, Site, good, server_context, site_in

pytestmark = [pytest.mark.system, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_in(tmp_path_factory.mktemp("faults") / "site") as site:
        yield site


@pytest.fixture(scope="module")
def pattern(site: Site) -> Agent:
    """A bundle to be copied."""
    return site.agent("pattern", port=1)


Spoil = Callable[[Path], Any]


def change(*path: Any, to: Any) -> Spoil:
    """Return what sets a member of config.json; ``...`` removes it."""

    def spoil(bundle: Path) -> None:
        configuration = place = json.loads((bundle / "config.json").read_text())
        for name in path[:-1]:
            place = place[name]
        if to is ...:
            del place[path[-1]]
        else:
            place[path[-1]] = to
        (bundle / "config.json").write_text(json.dumps(configuration))

    return spoil


def write(name: str, data: bytes) -> Spoil:
    return lambda bundle: (bundle / name).write_bytes(data)


def remove(name: str) -> Spoil:
    return lambda bundle: (bundle / name).unlink()


# What is wrong, and a word that the line must hold.
WRONG: dict[str, tuple[Spoil, str]] = {
    "no-config": (remove("config.json"), "config.json"),
    "empty": (write("config.json", b""), "config.json"),
    "no-json": (write("config.json", b"{oops"), "config.json"),
    "cut": (write("config.json", b'{"format":1,"device_id":"x"'), "config.json"),
    "no-object": (write("config.json", b"[1,2]"), "config.json"),
    "not-utf8": (write("config.json", b"\xff\xfe\x00"), "config.json"),
    "deep": (write("config.json", b"[" * 5000), "config.json"),
    "other-format": (change("format", to=2), "format"),
    "no-format": (change("format", to=...), "format"),
    "no-id": (change("device_id", to=...), "device_id"),
    "id-number": (change("device_id", to=7), "device_id"),
    "interval-text": (change("interval_ms", to="10"), "interval_ms"),
    "interval-0": (change("interval_ms", to=0), "interval_ms"),
    "interval-true": (change("interval_ms", to=True), "interval_ms"),
    "no-broker": (change("broker", to=...), "broker"),
    "broker-text": (change("broker", to="localhost"), "broker"),
    "no-host": (change("broker", "host", to=...), "broker.host"),
    "port-0": (change("broker", "port", to=0), "broker.port"),
    "port-text": (change("broker", "port", to="8883"), "broker.port"),
    "port-big": (change("broker", "port", to=65_536), "broker.port"),
    "other-ack": (change("broker", "ack", to="perhaps"), "broker.ack"),
    "trust-none": (change("trust", "mode", to="none"), "trust.mode"),
    "no-trust": (change("trust", to=...), "trust"),
    "no-pins": (change("trust", "pins", to=[]), "trust.pins"),
    "pin-short": (change("trust", "pins", to=["ab" * 31]), "trust.pins"),
    "pin-no-hex": (change("trust", "pins", to=["xy" * 32]), "trust.pins"),
    "pin-number": (change("trust", "pins", to=[5]), "trust.pins"),
    "pin-text": (change("trust", "pins", to="ab" * 32), "trust.pins"),
    "outbox-0": (change("outbox", "max_readings", to=0), "outbox.max_readings"),
    "no-sensors": (change("sensors", to=[]), "sensors"),
    "sensor-kind": (change("sensors", 0, "kind", to="lm35"), "sensors"),
    "sensor-text": (change("sensors", to=["tmp36"]), "sensors"),
    "profile": (change("profile", to="plain"), "profile"),
    "no-ca": (remove("ca.der"), "ca.der"),
    "bad-ca": (write("ca.der", b"\x30\x82junk"), "ca.der"),
    "no-cert": (remove("cert.der"), "cert.der"),
    "no-key": (remove("key.der"), "key.der"),
    "bad-key": (write("key.der", b"\x30\x01"), "key.der"),
    "no-hmac-key": (remove("hmac.key"), "hmac.key"),
    "empty-hmac-key": (write("hmac.key", b""), "hmac.key"),
    "no-adc": (remove("adc.txt"), "adc.txt"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_line(name: str, pattern: Agent, tmp_path: Path) -> None:
    spoil, word = WRONG[name]
    folder = tmp_path / "bundle"
    shutil.copytree(pattern.bundle, folder)
    agent = Agent(folder, "pattern", "32k")
    spoil(folder)
    agent.start()
    agent.wait(lambda: not agent.is_alive, 5, "the end")
    lines = agent.lines()
    assert agent.process.returncode == 1, lines
    errors = [line for line in lines if "seawall: boot=" not in line]
    assert len(errors) == 1, lines
    assert errors[0].startswith("seawall: error: "), lines
    assert word in errors[0], lines
    assert len(errors[0]) < 160
    # Nothing secret is in it.
    assert agent.key.hex() not in errors[0]


# Sensors


def sensed(site: Site, name: str, adc: str) -> tuple[Agent, ScriptedServer]:
    server = ScriptedServer(server_context(site.installation), good)
    agent = site.agent(name, port=server.port, adc=adc, interval_ms=100)
    return agent.start(), server


def faults(agent: Agent, server: ScriptedServer) -> list[str]:
    events = server.bodies(agent, "events")
    return [each["fault"] for each in events if each["event"] == "sensor"]


@pytest.mark.parametrize(
    ("name", "bad", "fault"),
    [
        ("ground", 0, "rail"),
        ("supply", 3_300_000, "rail"),
        ("cold", 50_000, "range"),
        ("hot", 1_800_000, "range"),
    ],
)
def test_a_measurement_that_cannot_be_is_an_event(
    name: str, bad: int, fault: str, site: Site
) -> None:
    agent, server = sensed(site, name, f"750000\n750000\n{bad}\n{bad}\n")
    agent.wait(lambda: faults(agent, server)[:4] == [fault, "", fault, ""], what="two faults")
    agent.wait_stored(8)
    agent.assert_sane()
    bodies = server.bodies(agent, "readings")
    # 25.00 °C and nothing else; numbers without a gap, although half was not measured.
    assert {each["temp"] for each in bodies} == {25}
    assert [each["seq"] for each in bodies] == list(range(1, len(bodies) + 1))
    event = server.bodies(agent, "events")[0]
    assert event == {"event": "sensor", "sensor": "temp", "fault": fault, "boot": 1}
    server.close()


def test_the_edges_of_what_can_be_are_readings(site: Site) -> None:
    agent, server = sensed(site, "edges", "100000\n1750000\n500000\n499000\n")
    agent.wait_stored(4)
    temperatures = [each["temp"] for each in server.bodies(agent, "readings")[:4]]
    assert temperatures == [-40, 125, 0, -0.1]
    assert faults(agent, server) == []
    server.close()


@pytest.mark.parametrize("adc", ["", "750000\nwhat\n750000\n", "750000\n\n", "\n"])
def test_a_sensor_that_says_nonsense_does_not_end_the_agent(adc: str, site: Site) -> None:
    name = f"nonsense-{len(site.agents)}"
    agent, server = sensed(site, name, adc)
    agent.wait(lambda: "unreadable" in faults(agent, server), what="an event")
    agent.assert_sane()
    if adc.startswith("7"):
        agent.wait(lambda: "" in faults(agent, server), 5, "recovery")
        agent.wait_stored(4)
    server.close()
