"""What the agent takes of a device: python -m bench.agent [--json]

For each module the size of its bytecode and what it takes of MicroPython's heap
(its names, which all modules share, apart); then a real agent on the builtin
broker by mutual TLS: memory in use once connected, time from a cold start to
the first acknowledged reading, and the smallest heap in which it still works.
TLS buffers of the Unix port are outside of MicroPython's heap.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seawall.devices.bundle import agent_for_board
from seawall.devices.firmware import agent_directory, agent_files
from seawall.devices.lean_names import shorten
from seawall.model.device import Board
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.device_process import DeviceProcess, find_runtime
from seawall.testing.fleet import Fleet

MAX_MPY_BYTES = 32_768
MAX_BASE_BYTES = 16_384
OF_UPDATES = {"software", "update", "build", "image", "tuf", "canonical", "ecdsa", "rsa_pss"}
"""Modules that a device without updates does not read."""
HEAP_BYTES = 32 * 1024
MAX_COLD_START_S = 1.0
COLD_STARTS = 3
READINGS = 10
GIVE_UP_S = 8.0
FOR_BOARDS = ("hardware_board", "image")  # need machine and esp32

# Run by MicroPython: what each module takes once its names are known. First those that stay.
HEAP_OF_MODULES = """
import gc, sys
import seawall_agent
from seawall_agent import load
names = sys.argv[1].split(",")
stay = ["signer", "link", "outbox", "sensors", "app"]
for name in names:
    load(name)
for name in stay:
    sys.modules.pop("seawall_agent." + name, None)
    if hasattr(seawall_agent, name):
        delattr(seawall_agent, name)
def deep(n):
    return n and deep(n - 1)
for name in stay + [name for name in names if name not in stay]:
    deep(30); gc.collect(); before = gc.mem_alloc()
    module = __import__("seawall_agent." + name) if name in stay else load(name)
    deep(30); gc.collect()
    print(name, gc.mem_alloc() - before)
    module = None
"""

# In the place of main.py: prints what is in use, at most, after each reading.
PROBE = """
import gc, sys
sys.path.insert(0, "a")
from seawall_agent import app
take = app.Agent.measure
def measure(self):
    take(self)
    gc.collect()
    if self.link.up:
        print("heap", gc.mem_alloc(), gc.mem_free())
app.Agent.measure = measure
sys.exit(app.main())
"""


def measure_modules(folder: Path) -> list[dict[str, Any]]:
    """Return name, bytes on flash and bytes of heap of each module.

    Heap is measured of the agent's modules that run here, not of the guard's.
    """
    sizes, measured = {}, []
    for name, content in agent_files(agent_directory()).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        sizes[name.removesuffix(".mpy").replace("/", ".").removeprefix("seawall_agent.")] = len(
            content
        )
        if path.parent.name == "seawall_agent" and path.stem not in ("__init__", *FOR_BOARDS):
            measured.append(path.stem)
    (folder / "heap.py").write_text(HEAP_OF_MODULES)
    printed = subprocess.run(
        [*find_runtime().command, "-X", "heapsize=256k", "heap.py", ",".join(measured)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    heaps = {line.split()[0]: int(line.split()[1]) for line in printed.splitlines()}
    return [
        {"module": name, "mpy_bytes": size, "heap_bytes": heaps.get(name)}
        for name, size in sorted(sizes.items(), key=lambda item: -item[1])
    ]


def measure_boards() -> dict[str, int]:
    """Return what goes onto each kind of board, in bytes."""
    agent = agent_files(agent_directory())
    return {
        board.value: sum(map(len, agent_for_board(board, agent).values()))
        for board in (Board.UNIX, Board.ESP32, Board.RP2)
    }


def wait_for(device: DeviceProcess, happened: Callable[[list[str]], bool], limit_s: float) -> bool:
    deadline = time.monotonic() + limit_s
    while not happened(device.lines()):
        if time.monotonic() > deadline or not device.is_alive:
            return False
        time.sleep(0.002)
    return True


def stored(lines: list[str], count: int) -> bool:
    return sum(line.startswith("seawall: stored") for line in lines) >= count


def restart(device: DeviceProcess, heap: str) -> None:
    device.kill()
    device.log_path.unlink(missing_ok=True)
    device.heap = heap
    device.start()


def measure_life(folder: Path) -> dict[str, Any]:
    """Return the figures of an agent on the builtin broker."""
    installation = make_installation(folder / "state")
    fleet = Fleet(installation, folder / "devices", find_runtime(), interval_ms=200)
    device = fleet.add("bench-1")
    daemon = DaemonProcess(folder / "state", folder / "daemon.log")
    daemon.start()
    try:
        daemon.wait_ready()
        starts = []
        for _ in range(COLD_STARTS):
            begin = time.monotonic()
            restart(device, "32k")
            if not wait_for(device, lambda lines: stored(lines, 1), 30):
                raise SystemExit("\n".join(device.lines()))
            starts.append(round(time.monotonic() - begin, 3))
        main = device.bundle / "main.py"
        starter = main.read_bytes()
        main.write_bytes(shorten(PROBE.encode()))
        restart(device, "32k")
        wait_for(device, lambda lines: sum(x.startswith("heap") for x in lines) >= READINGS, 30)
        in_use = [int(x.split()[1]) for x in device.lines() if x.startswith("heap")]
        main.write_bytes(starter)
        smallest = 32
        while smallest > 16:
            restart(device, f"{smallest - 1}k")
            if not wait_for(device, lambda lines: stored(lines, READINGS), GIVE_UP_S):
                break
            smallest -= 1
        return {
            "cold_start_s": starts,
            "cold_start_median_s": statistics.median(starts),
            "heap_bytes": HEAP_BYTES,
            "heap_in_use_bytes": max(in_use, default=None),
            "smallest_heap_that_works_bytes": smallest * 1024,
        }
    finally:
        device.kill()
        daemon.stop()
        installation.store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="seawall-bench-") as name:
        folder = Path(name)
        (folder / "modules").mkdir()
        modules = measure_modules(folder / "modules")
        facts: dict[str, Any] = {
            "device_runtime": find_runtime().version,
            "bytes_on_flash": measure_boards(),
            "base_bytes": sum(
                row["mpy_bytes"]
                for row in modules
                if "." not in row["module"] and row["module"] not in OF_UPDATES | {"hardware_board"}
            ),
            **measure_life(folder),
        }
    facts["ok"] = (
        max(facts["bytes_on_flash"].values()) < MAX_MPY_BYTES
        and facts["base_bytes"] < MAX_BASE_BYTES
        and facts["cold_start_median_s"] < MAX_COLD_START_S
        and facts["heap_in_use_bytes"] is not None
    )
    if options.json:
        print(json.dumps({**facts, "modules": modules}, indent=2))
    else:
        print(f"{'module':16} {'.mpy':>6} {'heap':>6}")
        for row in modules:
            heap = "" if row["heap_bytes"] is None else row["heap_bytes"]
            print(f"{row['module']:16} {row['mpy_bytes']:6} {heap:>6}")
        for key, value in facts.items():
            print(f"{key.replace('_', ' '):32} {value}")
    raise SystemExit(0 if facts["ok"] else 1)


if __name__ == "__main__":
    main()
