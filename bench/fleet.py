"""Many agents on one machine: is every reading that a device counts as stored there, once?

python -m bench.fleet [--devices 200] [--seconds 60] [--broker builtin] [--json]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from seawall.model.history import ReadingQuery
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import find_runtime
from seawall.testing.fleet import Fleet

STORED = re.compile(r"stored boot=(\d+) seq=(\d+)")


def run(devices: int, seconds: float, broker: str, interval_ms: int) -> dict[str, Any]:
    """Run a fleet and return its facts."""
    with tempfile.TemporaryDirectory(prefix="seawall-bench-fleet-") as name:
        folder = Path(name)
        installation = make_installation(
            folder / "state", broker="mosquitto" if broker == "mosquitto" else "builtin"
        )
        daemon = DaemonProcess(folder / "state", folder / "daemon.log")
        daemon.start()
        daemon.wait_ready()
        fleet = Fleet(installation, folder / "devices", find_runtime(), interval_ms=interval_ms)
        fleet.folder.mkdir()
        for number in range(devices):
            fleet.add(f"device-{number:03d}")
        fleet.start()
        connected_s = _wait_connected(fleet)
        time.sleep(seconds)
        process = psutil.Process(daemon.pid)
        times = process.cpu_times()
        memory_mb = process.memory_info().rss / 1e6
        fleet.stop()
        daemon.stop()
        facts = _count(installation.store, fleet)
        refused = {str(k): v for k, v in installation.store.refusal_counts().items() if v}
        installation.store.close()
    return {
        "devices": devices,
        "broker": broker,
        "seconds": seconds,
        "interval_ms": interval_ms,
        "all_connected_s": connected_s,
        **facts,
        "refused": refused,
        "daemon_cpu_s": round(times.user + times.system, 2),
        "daemon_memory_mb": round(memory_mb, 1),
    }


def _wait_connected(fleet: Fleet) -> float | None:
    started = time.monotonic()
    waiting = set(fleet.devices)
    while waiting and time.monotonic() < started + 120:
        waiting = {name for name in waiting if not STORED.search(_log(fleet, name))}
        time.sleep(0.2)
    return None if waiting else round(time.monotonic() - started, 1)


def _log(fleet: Fleet, name: str) -> str:
    return "\n".join(fleet.devices[name].lines())


def _count(store: Any, fleet: Fleet) -> dict[str, int]:
    counted = lost = doubled = stored = 0
    for name in fleet.devices:
        rows = Counter((r.boot, r.seq) for r in store.readings(ReadingQuery(device_id=name)))
        stored += len(rows)
        doubled += sum(count - 1 for count in rows.values())
        tops: dict[int, int] = {}
        for boot, seq in STORED.findall(_log(fleet, name)):
            tops[int(boot)] = max(int(seq), tops.get(int(boot), 0))
        for boot, top in tops.items():
            counted += top
            lost += sum((boot, seq) not in rows for seq in range(1, top + 1))
    return {"counted_by_devices": counted, "stored": stored, "lost": lost, "doubled": doubled}


def main() -> int:
    """Run from the command line; exit 1 if a reading was lost, doubled or refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--interval-ms", type=int, default=1000)
    parser.add_argument("--broker", choices=["builtin", "mosquitto"], default="builtin")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    facts = run(options.devices, options.seconds, options.broker, options.interval_ms)
    if options.json:
        print(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            print(f"{name:<20} {value}")
    is_good = facts["all_connected_s"] is not None and not (
        facts["lost"] or facts["doubled"] or facts["refused"]
    )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
