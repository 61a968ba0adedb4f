"""The agent on a real Mosquitto with mutual TLS, within its limits of memory, size and time."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_lab import Device, Lab, Mosquitto

from seawall.wire.envelope import open_sealed, seal

pytestmark = pytest.mark.system

HEAP = "32k"
DEVICE = "greenhouse-1"
READINGS = f"devices/{DEVICE}/readings"
COMMANDS = f"devices/{DEVICE}/commands"


def bodies(broker: Mosquitto, bundle: Path, topic: str = READINGS) -> list[dict[str, Any]]:
    """Return what arrived, each verified with the device's key."""
    key = (bundle / "hmac.key").read_bytes()
    opened = [open_sealed(payload, topic, key) for payload in broker.payloads(topic)]
    assert None not in opened
    return [json.loads(body) for body in opened if body is not None]


def command(broker: Mosquitto, bundle: Path, body: bytes) -> bytes:
    """Send a sealed command; return it as it went."""
    wire = seal(body, COMMANDS, (bundle / "hmac.key").read_bytes())
    broker.publish(COMMANDS, wire)
    return wire


def _dice() -> random.Random:
    """Return chances of this run; pytest shows the seed when the test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def memory_errors(device: Device) -> list[str]:
    return device.output.matching("MemoryError")


def test_first_reading_is_acknowledged_within_a_second(lab: Lab, mosquitto: Mosquitto) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=1000)
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seawall: stored boot=1 seq=1")
    took = device.output.times[-1] - device.started
    assert took < 1, device.output.lines
    first = bodies(mosquitto, bundle)[0]
    assert (first["temp"], first["raw"], first["boot"], first["seq"]) == (25.0, 240, 1, 1)
    assert abs(first["ts"] / 1000 - time.time()) < 5
    assert mosquitto.payloads(f"devices/{DEVICE}/status")[-1] == b'{"online":true}'


def test_memory_does_not_run_out(lab: Lab, mosquitto: Mosquitto) -> None:
    dice = _dice()
    values = tuple(dice.randrange(200_000, 1_700_000) for _ in range(50))
    bundle = lab.bundle(mosquitto.server, interval_ms=20, values_uv=values)
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seq=1500", timeout_s=60)
    device.kill()
    seqs = [body["seq"] for body in bodies(mosquitto, bundle)]
    assert seqs[:1500] == list(range(1, 1501))
    assert not memory_errors(device)


@pytest.mark.parametrize("ack", ["puback", "stored"])
def test_a_lost_broker_costs_no_reading(
    lab: Lab, mosquitto: Mosquitto, ack: str, wait_until: Callable[..., Any]
) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=100, ack=ack, broker={"settle_s": 2})
    device = lab.device(bundle, HEAP).start()

    said = 0

    def settle() -> None:
        # In the place of ingest, which never says `stored` past a gap: if Mosquitto lost
        # something, the device gets impatient, connects again and sends it once more.
        nonlocal said
        seen = {body["seq"] for body in bodies(mosquitto, bundle)}
        last = said
        while last + 1 in seen:
            last += 1
        if ack == "stored" and last > said:
            command(mosquitto, bundle, b'{"cmd":"stored","boot":1,"seq":%d}' % last)
            said = last

    def has_stored(count: int) -> bool:
        settle()
        return bool(device.stored()) and device.stored()[-1][1] >= count

    wait_until(lambda: has_stored(3), 20)
    for _ in range(2):
        count = device.stored()[-1][1]
        ends = len(device.output.matching("seawall: not connected"))
        mosquitto.kill()
        device.wait_for("seawall: not connected", ends + 1)
        before = device.measured()
        wait_until(lambda before=before: device.measured() >= before + 15, 20)
        mosquitto.start()
        mosquitto.wait_for_observer()
        wait_until(lambda count=count: has_stored(count + 25), 40)
    device.kill()
    stored = device.stored()[-1][1]
    seen = {body["seq"] for body in bodies(mosquitto, bundle)}
    # A kill may take what Mosquitto had acknowledged and not passed on: so says `stored` alone.
    if ack == "stored":
        assert seen >= set(range(1, stored + 1))
    assert not memory_errors(device)


def test_killed_anywhere_it_loses_nothing_that_it_counted(
    lab: Lab, mosquitto: Mosquitto, wait_until: Callable[..., Any]
) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=20)
    device = lab.device(bundle, HEAP)
    dice = _dice()
    for boot in range(1, 9):
        device.start()
        device.wait_for(f"seawall: stored boot={boot} ")
        time.sleep(dice.uniform(0, 0.3))  # a moment that nobody chose
        device.kill()
    device.start()
    # Out of memory it would start anew, with another boot: the outbox must bear that as well.
    wait_until(lambda: any(boot > 8 and seq > 4 for boot, seq in device.stored()), 20)
    device.kill()
    counted = {
        (boot, seq) for boot, last in device.stored() if boot < 9 for seq in range(1, last + 1)
    }

    def seen() -> list[tuple[int, int]]:
        return [(body["boot"], body["seq"]) for body in bodies(mosquitto, bundle)]

    wait_until(lambda: set(seen()) >= counted)
    boots = [boot for boot, _ in seen()]
    assert boots == sorted(boots)  # the outbox goes first, in order


def test_commands(lab: Lab, mosquitto: Mosquitto, wait_until: Callable[..., Any]) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=60_000)
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seawall: stored")
    recorded = command(mosquitto, bundle, b'{"cmd":"identify","n":5}')
    device.wait_for("seawall: command identify")
    mosquitto.publish(COMMANDS, recorded)
    device.wait_for("command refused: replay")
    mosquitto.publish(COMMANDS, recorded.replace(b'"n":5', b'"n":6'))
    device.wait_for("command refused: bad-signature")
    mosquitto.publish(COMMANDS, b"x" * 3000)
    command(mosquitto, bundle, b'{"cmd":"interval","n":7,"ms":200}')
    device.wait_for("seawall: stored boot=1 seq=6")
    command(mosquitto, bundle, b'{"cmd":"restart","n":8}')
    device.wait_for("seawall: stored boot=2 seq=4")  # with the interval as commanded
    for again in (b'{"cmd":"restart","n":8}', b'{"cmd":"restart","n":3}'):
        command(mosquitto, bundle, again)
    device.wait_for("command refused: replay", 3)
    assert not device.output.matching("boot=3")
    replies = bodies(mosquitto, bundle, f"devices/{DEVICE}/replies")
    assert [reply["re"] for reply in replies] == [5, 7, 8]
    assert all(reply["ok"] for reply in replies)
    assert not memory_errors(device)


def test_a_full_outbox_drops_the_oldest_and_says_so(
    lab: Lab, mosquitto: Mosquitto, wait_until: Callable[..., Any]
) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=20, outbox={"max_readings": 80})
    mosquitto.kill()
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seawall: not connected", 2)
    wait_until(lambda: device.measured() >= 150, 20)
    device.freeze()
    mosquitto.start()
    mosquitto.wait_for_observer()
    device.thaw()
    device.wait_for("seawall: stored", 50)
    events = f"devices/{DEVICE}/events"
    wait_until(lambda: mosquitto.payloads(events))
    device.kill()
    event = bodies(mosquitto, bundle, events)[0]
    assert event["event"] == "dropped"
    seqs = [body["seq"] for body in bodies(mosquitto, bundle)]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert 1 < seqs[0] <= event["count"] + 1


def test_a_faulty_sensor_sends_no_reading_but_an_event(
    lab: Lab, mosquitto: Mosquitto, wait_until: Callable[..., Any]
) -> None:
    values = (750_000, 3_200_000, 3_200_000, 0, 750_000)
    bundle = lab.bundle(mosquitto.server, interval_ms=200, values_uv=values)
    device = lab.device(bundle, HEAP).start()
    device.wait_for("sensor temp works")
    device.wait_for("seawall: stored boot=1 seq=3")
    events = f"devices/{DEVICE}/events"
    wait_until(lambda: len(mosquitto.payloads(events)) >= 2)
    faults = [body["fault"] for body in bodies(mosquitto, bundle, events)]
    assert faults[:2] == ["rail", ""]
    assert {body["raw"] for body in bodies(mosquitto, bundle)} == {240}


def test_the_will_tells_that_it_is_gone(
    lab: Lab, mosquitto: Mosquitto, wait_until: Callable[..., Any]
) -> None:
    bundle = lab.bundle(mosquitto.server)
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seawall: stored")
    status = f"devices/{DEVICE}/status"
    assert device.stop(signal.SIGINT) == 0
    wait_until(lambda: mosquitto.payloads(status)[-1:] == [b'{"online":false}'])
    assert not device.output.matching("Traceback")


def test_keep_alive_over_a_quiet_time(lab: Lab, mosquitto: Mosquitto) -> None:
    bundle = lab.bundle(mosquitto.server, interval_ms=6_000, broker={"keepalive_s": 2})
    device = lab.device(bundle, HEAP).start()
    device.wait_for("seawall: stored boot=1 seq=2", timeout_s=15)
    assert len(device.output.matching("seawall: connected")) == 1


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("ca.der", b"\x30\x03\x02\x01\x01", "error: ca.der: "),
        ("cert.der", b"", "error: key.der: "),
        ("key.der", b"not a key", "error: key.der: invalid key"),
        ("key.der", None, "error: key.der: "),
        ("hmac.key", None, "error: hmac.key: "),
        ("config.json", b"{", "error: config.json: JSON: "),
        ("adc.txt", None, "error: "),
    ],
)
def test_a_broken_bundle_is_one_clear_line(
    lab: Lab, name: str, content: bytes | None, words: str, mosquitto: Mosquitto
) -> None:
    bundle = lab.bundle(mosquitto.server)
    if content is None:
        (bundle / name).unlink()
    else:
        (bundle / name).write_bytes(content)
    device = lab.device(bundle, HEAP).start()
    assert device.ended() == 1
    assert len(device.output.lines) <= 2, device.output.lines
    assert device.output.lines[-1].startswith(f"seawall: {words}"), device.output.lines


def test_it_starts_from_another_folder(lab: Lab, mosquitto: Mosquitto, tmp_path: Path) -> None:
    bundle = lab.bundle(mosquitto.server)
    device = lab.device(bundle, HEAP).start(str(bundle / "main.py"), str(bundle), cwd=tmp_path)
    device.wait_for("seawall: stored")
    assert (bundle / "state").is_dir()
