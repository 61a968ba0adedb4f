"""How fast the store is: python -m bench.store [--json] [--readings N] [--dir DIR]

Appends batches of 500 readings, the devices taking turns (the worst order for a
table clustered by device), with a replay window for each device of the batch,
every commit durable. Then asks what pages and commands ask.
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from seawall.model.history import ReadingQuery
from seawall.model.reading import Batch, Reading, ReplayWindow
from seawall.store.sqlite.store import SqliteStore

BATCH = 500
T0_MS = 1_763_759_216_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
DAYS = 60
HISTORY_DEVICES = 4


def a_reading(device: int, seq: int, step_ms: int) -> Reading:
    ts_ms = T0_MS + seq * step_ms
    raw = 700 + (device + seq) % 60
    body = b'{"temp":%.1f,"raw":%d,"boot":1,"seq":%d,"ts":%d}' % (raw / 30, raw, seq, ts_ms)
    return Reading(f"device-{device:05d}", ts_ms, 1, seq, ts_ms + 5, body)


def batches(devices: int, readings: int, step_ms: int = 1000) -> Iterator[Batch]:
    for start in range(0, readings, BATCH):
        kept = [
            a_reading(n % devices, n // devices, step_ms)
            for n in range(start, min(start + BATCH, readings))
        ]
        newest = {reading.device_id: reading.seq for reading in kept}
        windows = [
            ReplayWindow(name, 1, top, (1 << min(256, top + 1)) - 1) for name, top in newest.items()
        ]
        yield Batch(kept, windows)


def median_ms(work: Callable[[], object], rounds: int = 5) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1000, 3)


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def bench_append(folder: Path, devices: int, readings: int) -> dict[str, object]:
    path = folder / f"append-{devices}" / "t.db"
    path.parent.mkdir()
    store = SqliteStore(path, max_refusals=10_000, create=True)
    prepared = list(batches(devices, readings))
    gc.collect()
    gc.freeze()  # what the bench holds is not the store's to scan
    times = []
    wall, cpu = time.perf_counter(), time.process_time()
    for batch in prepared:
        start = time.perf_counter()
        new = store.append(batch)
        times.append(time.perf_counter() - start)
        assert new == len(batch.readings)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    resend = time.process_time()
    for batch in prepared[-20:]:
        assert store.append(batch) == 0
    resend = time.process_time() - resend
    gc.unfreeze()
    times.sort()
    activity_ms = median_ms(store.activity)
    assert sum(entry.readings for entry in store.activity()) == readings
    one = [prepared[0].readings[0].device_id]
    facts = {
        "devices": devices,
        "readings": readings,
        "cpu_us_per_reading": round(cpu / readings * 1e6, 2),
        "readings_per_s": round(readings / wall),
        "append_ms_p50": round(times[len(times) // 2] * 1000, 2),
        "append_ms_p99": round(times[int(len(times) * 0.99)] * 1000, 1),
        "append_ms_max": round(times[-1] * 1000, 1),
        "resent_cpu_us_per_reading": round(resend / (20 * BATCH) * 1e6, 2),
        "activity_of_all_ms": activity_ms,
        "latest_of_one_ms": median_ms(lambda: store.activity(one)),
        "last_20_of_all_ms": median_ms(lambda: list(store.readings(ReadingQuery(last=20)))),
        "start_ms": median_ms(store.windows),
        "registry_revision_ms": median_ms(store.registry_revision, 101),
    }
    store.settle()
    store.close()
    facts["bytes_per_reading"] = round(size(path) / readings, 1)
    return facts


def bench_history(folder: Path) -> dict[str, object]:
    path = folder / "history" / "t.db"
    path.parent.mkdir()
    store = SqliteStore(path, max_refusals=10_000, create=True)
    for batch in batches(HISTORY_DEVICES, HISTORY_DEVICES * DAYS * 1440, MINUTE_MS):
        store.append(batch)
    name, end_ms = "device-00001", T0_MS + DAYS * DAY_MS
    day = ReadingQuery(name, since_ms=end_ms - DAY_MS, until_ms=end_ms)
    assert len(list(store.readings(day))) == 1440
    facts = {
        "readings": HISTORY_DEVICES * DAYS * 1440,
        "device_day_raw_ms": median_ms(lambda: list(store.readings(day))),
        "device_day_to_300_buckets_ms": median_ms(
            lambda: store.buckets(name, "temp", end_ms - DAY_MS, end_ms, 300)
        ),
        "60_days_to_1000_buckets_ms": median_ms(
            lambda: store.buckets(name, "temp", T0_MS, end_ms, 1000)
        ),
        "60_days_raw_ms": median_ms(lambda: list(store.readings(ReadingQuery(name)))),
        "metrics_ms": median_ms(lambda: store.metrics(name)),
    }
    store.close()
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--readings", type=int, default=200_000, help="to append, each time")
    parser.add_argument("--dir", type=Path, help="where to write (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        facts: dict[str, object] = {
            "sqlite": sqlite3.sqlite_version,
            "append": [bench_append(Path(name), n, options.readings) for n in (100, 500, 10_000)],
            "history": bench_history(Path(name)),
        }
    if options.json:
        print(json.dumps(facts, indent=2))
        return
    print(f"SQLite {facts['sqlite']}, synchronous=FULL, batches of {BATCH}")
    for part in (*facts["append"], facts["history"]):  # type: ignore[misc]
        print()
        for key, value in part.items():
            print(f"  {key:<30} {value:>12,}")


if __name__ == "__main__":
    main()
