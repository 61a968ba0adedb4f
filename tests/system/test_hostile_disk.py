"""A disk that fills up under a running installation, and has room again later."""

from __future__ import annotations

import resource
import ssl
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from seawall.model.history import ReadingQuery
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.testing.fleet import Fleet

pytestmark = pytest.mark.system

INTERVAL_MS = 100


def stored_up_to(device: DeviceProcess) -> int:
    """Return up to which number the device was told that its readings are stored."""
    numbers = [int(line.rsplit("seq=", 1)[1]) for line in device.lines() if "stored boot=" in line]
    return max(numbers, default=0)


def fill_disk(pid: int, state: Path) -> None:
    """Let no file of a process grow past what the write-ahead log is now: writing fails."""
    size = (state / "seawall.db-wal").stat().st_size
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def free_disk(pid: int) -> None:
    """Take `fill_disk` back."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def answer(url: str, root: Path) -> int:
    """Return the status of a GET."""
    context = ssl.create_default_context(cafile=root)
    try:
        with urllib.request.urlopen(url, context=context, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("broker", ["builtin", "mosquitto"])
def test_a_full_disk_loses_nothing_and_stops_nothing_else(
    broker: Literal["builtin", "mosquitto"], tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    state = tmp_path / "state"
    installation = make_installation(state, broker=broker)
    root = installation.keystore.root_path
    daemon = DaemonProcess(state, tmp_path / "daemon.log")
    daemon.start()
    url = daemon.wait_ready()["url"]
    assert daemon.pid is not None
    fleet = Fleet(installation, tmp_path / "devices", find_runtime(), interval_ms=INTERVAL_MS)
    fleet.folder.mkdir()
    device = fleet.add("device-1")
    fleet.start()
    try:
        wait_until(lambda: stored_up_to(device) > 2, 30, "first readings")
        assert answer(f"{url}readyz", root) == 200
        fill_disk(daemon.pid, state)
        wait_until(lambda: answer(f"{url}readyz", root) == 503, 30, "the full disk to show")
        assert [answer(url + page, root) for page in ("healthz", "signin")] == [200, 200]
        wait_until(lambda: "no room left" in daemon.log(), what="a log line")
        # Word of what was stored before may still be on its way; of what was not, never.
        top = max(r.seq for r in installation.store.readings(ReadingQuery("device-1")))
        assert stored_up_to(device) <= top
        free_disk(daemon.pid)
        wait_until(lambda: stored_up_to(device) > top + 5, 60, "the outbox to empty")
        assert answer(f"{url}readyz", root) == 200
    finally:
        free_disk(daemon.pid)
        fleet.stop()
        status = daemon.stop()
    assert status == 0
    assert "Traceback" not in daemon.log()
    numbers = Counter(r.seq for r in installation.store.readings(ReadingQuery("device-1")))
    assert max(numbers.values()) == 1
    assert set(range(1, stored_up_to(device) + 1)) <= set(numbers)
    refused = {reason: n for reason, n in installation.store.refusal_counts().items() if n}
    assert not refused
    installation.store.close()
