"""The agent on CPython, for platforms without MicroPython: the same files, the same behaviour."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_lab import AGENT, Device, Lab, Mosquitto, Server

from seawall.model.device import Trust
from seawall.wire.envelope import seal

pytestmark = pytest.mark.system


@pytest.fixture
def on_cpython() -> Any:
    """Return a function that starts a bundle on CPython; ends what it started."""
    started: list[Device] = []

    def start(bundle: Path) -> Device:
        device = Device([sys.executable, str(AGENT / "run_on_cpython.py")], bundle, heap="")
        started.append(device)
        return device.start()

    yield start
    for device in started:
        device.kill()


def test_it_delivers_and_obeys(
    lab: Lab,
    mosquitto: Mosquitto,
    on_cpython: Callable[[Path], Device],
    wait_until: Callable[..., Any],
) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=200, source=True)
    device = on_cpython(bundle)
    device.wait_for("seawall: stored boot=1 seq=5")
    mosquitto.kill()
    device.wait_for("seawall: not connected")
    before = device.measured()
    wait_until(lambda: device.measured() >= before + 3)
    mosquitto.start()
    mosquitto.wait_for_observer()
    device.wait_for("seawall: connected", 2)
    device.wait_for("seawall: stored boot=1 seq=12")
    topic = "devices/greenhouse-1/commands"
    key = (bundle / "hmac.key").read_bytes()
    mosquitto.publish(topic, seal(b'{"cmd":"restart","n":4}', topic, key))
    device.wait_for("seawall: stored boot=2 seq=2")
    mosquitto.publish(topic, seal(b'{"cmd":"restart","n":4}', topic, key))
    device.wait_for("command refused: replay")


@pytest.mark.parametrize("trust", [Trust.PIN, Trust.CA_AND_PIN])
def test_another_certificate_of_the_same_authority_is_refused(
    lab: Lab, mosquitto: Mosquitto, on_cpython: Callable[[Path], Device], trust: Trust
) -> None:
    other = lab.server_certificate("localhost").sha256
    device = on_cpython(
        lab.bundle(Server(mosquitto.port, (other,)), trust=trust, interval_ms=200, source=True)
    )
    device.wait_for("refused server certificate: not pinned")
    assert not device.output.matching("seawall: connected")


def test_a_wrong_name_is_refused(
    lab: Lab, mosquitto: Mosquitto, on_cpython: Callable[[Path], Device]
) -> None:
    server = Server(mosquitto.port, mosquitto.server.pins, name="elsewhere.example")
    device = on_cpython(lab.bundle(server, trust=Trust.CA, interval_ms=200, source=True))
    device.wait_for("refused server certificate: ")
    assert not device.output.matching("seawall: connected")
