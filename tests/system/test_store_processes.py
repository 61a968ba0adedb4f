"""Several processes on one store, and processes that die in the middle of a commit."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from seawall.model.history import ReadingQuery
from seawall.store.sqlite import open_sqlite_store
from seawall.store.sqlite.store import SqliteStore

pytestmark = pytest.mark.system

BATCH = 50
DEVICES = 5

WRITER = f"""
import sys
from pathlib import Path
from seawall.model.reading import Batch, ReplayWindow
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.store_contract import a_reading
path, prefix, start, batches = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = SqliteStore(path, max_refusals=10, create=True, settle_rows=400)
for number in range(start, start + batches):
    names = [prefix + str(n % {DEVICES}) for n in range({BATCH})]
    seqs = [number * {BATCH} // {DEVICES} + n // {DEVICES} for n in range({BATCH})]
    readings = [a_reading(name, seq) for name, seq in zip(names, seqs)]
    windows = [ReplayWindow(name, 1, seqs[-1], 1) for name in set(names)]
    assert store.append(Batch(readings, windows)) == {BATCH}
    print(number, flush=True)
"""


def start_writer(path: Path, prefix: str, start: int, batches: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), prefix, str(start), str(batches)],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_kill_9_in_the_middle_of_appends(tmp_path: Path) -> None:
    """After each of 20 kills every batch that was reported is there whole, and none in part."""
    path = tmp_path / "seawall.db"
    chance = random.Random(7)
    stored = 0
    for _ in range(20):
        writer = start_writer(path, "d", stored, 1_000_000)
        assert writer.stdout is not None
        for _ in range(chance.randrange(1, 30)):
            reported = int(writer.stdout.readline())
        writer.kill()
        tail = writer.stdout.read().split("\n")[:-1]
        writer.wait()
        writer.stdout.close()
        reported = max([reported, *map(int, tail)])
        with_care = open_sqlite_store(path)
        kept = [(r.device_id, r.seq) for r in with_care.readings(ReadingQuery())]
        assert len(kept) == len(set(kept))
        assert len(kept) % BATCH == 0
        assert len(kept) // BATCH in (reported + 1, reported + 2), (
            "reported is kept, one may be on its way"
        )
        stored = len(kept) // BATCH
        per_device = stored * BATCH // DEVICES
        assert sorted(kept) == sorted(
            (f"d{n}", s) for n in range(DEVICES) for s in range(per_device)
        )
        assert [entry.readings for entry in with_care.activity()] == [per_device] * DEVICES
        assert {window.top for window in with_care.windows()} == {per_device - 1}
        with_care.check()
        with_care.close()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    writers = [start_writer(path, prefix, 0, 60) for prefix in ("a", "b")]
    store = SqliteStore(path, max_refusals=10, create=True)
    store.check()
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        assert len(output.split()) == 60
    per_device = 60 * BATCH // DEVICES
    assert [entry.readings for entry in store.activity()] == [per_device] * DEVICES * 2
    found = [(r.device_id, r.boot, r.seq) for r in store.readings(ReadingQuery())]
    assert len(found) == len(set(found)) == 2 * 60 * BATCH
    store.close()


OPENER = """
import sys
from seawall.store.sqlite import open_sqlite_store
for _ in range(5):
    store = open_sqlite_store(sys.argv[1], create=True)
    store.check()
    store.close()
"""


def test_processes_that_make_the_same_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    openers = [
        subprocess.Popen([sys.executable, "-c", OPENER, str(path)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    failures = [opener.communicate(timeout=60)[1] for opener in openers]
    assert failures == [b""] * 4
    open_sqlite_store(path).close()
