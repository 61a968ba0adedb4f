"""Kill the daemon, and the broker, again and again under load: nothing that counts is lost."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from seawall.model.history import ReadingQuery
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.testing.fleet import Fleet

pytestmark = pytest.mark.system

KILLS = 20
DEVICES = 4
INTERVAL_MS = 100
STORED = re.compile(r"stored boot=(\d+) seq=(\d+)")


def counted_as_stored(device: DeviceProcess) -> dict[int, int]:
    """Return, for each boot, up to which number the device was told "stored"."""
    newest: dict[int, int] = {}
    for line in device.lines():
        found = STORED.search(line)
        if found:
            boot, seq = int(found[1]), int(found[2])
            newest[boot] = max(seq, newest.get(boot, 0))
    return newest


def mosquitto_pid(state: Path) -> int | None:
    """Return the process id of the Mosquitto that serves a state directory, once there is one."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            folder = (entry / "cwd").readlink()
        except OSError:
            continue
        if b"mosquitto" in words[0] and folder.is_relative_to(state):
            return int(entry.name)
    return None


@pytest.mark.timeout(420)
@pytest.mark.parametrize("victim", ["daemon", "daemon-behind-mosquitto", "mosquitto"])
def test_no_reading_that_a_device_counts_as_stored_is_lost_or_doubled(
    victim: str, tmp_path: Path, wait_until: Any
) -> None:
    broker = "builtin" if victim == "daemon" else "mosquitto"
    state = tmp_path / "state"
    installation = make_installation(state, broker=broker)
    daemon = DaemonProcess(state, tmp_path / "daemon.log")
    daemon.start()
    daemon.wait_ready()
    fleet = Fleet(installation, tmp_path / "devices", find_runtime(), interval_ms=INTERVAL_MS)
    fleet.folder.mkdir()
    for number in range(DEVICES):
        fleet.add(f"device-{number}")
    fleet.start()
    try:
        wait_until(lambda: all(counted_as_stored(d) for d in fleet.devices.values()), 30)
        chance = random.Random(7)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.2, 0.8))  # load of a random length, not a wait
            if victim == "mosquitto":
                os.kill(wait_until(lambda: mosquitto_pid(state), 30), signal.SIGKILL)
            else:
                daemon.kill()
                daemon.start()
                daemon.wait_ready()
        # Every outbox empties: what is measured from here on is stored, and all before it.
        before = {name: counted_as_stored(d) for name, d in fleet.devices.items()}
        marks = {name: _measured(d) for name, d in fleet.devices.items()}

        def has_emptied() -> bool:
            return all(
                counted_as_stored(device).get(1, 0) >= marks[name]
                for name, device in fleet.devices.items()
            )

        wait_until(has_emptied, 90, f"outboxes to empty: {before} of {marks}")
    finally:
        fleet.stop()
        status = daemon.stop()
    assert status == 0, daemon.log()
    store = installation.store
    for name, device in fleet.devices.items():
        rows = Counter((r.boot, r.seq) for r in store.readings(ReadingQuery(device_id=name)))
        assert max(rows.values()) == 1, f"{name}: a reading is there twice"
        for boot, top in counted_as_stored(device).items():
            missing = [seq for seq in range(1, top + 1) if (boot, seq) not in rows]
            assert not missing, f"{name}: counted as stored and not there: boot {boot}, {missing}"
    counts = {reason.value: count for reason, count in store.refusal_counts().items() if count}
    assert not counts, f"false refusals: {counts}"
    store.close()


def _measured(device: DeviceProcess) -> int:
    """Return a number that the device has certainly measured by now."""
    return max(counted_as_stored(device).values())
