"""What is held, as runs of numbers: every (device, boot, seq) once, whatever its order."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.model.history import ReadingQuery
from seawall.model.reading import Batch
from seawall.store.sqlite.schema import STEPS, migrate
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.store_contract import T0_MS, a_reading

Key = tuple[str, int, int]

KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 12))
PACES = st.lists(st.tuples(st.lists(KEYS, max_size=12), st.sampled_from(["", "settle", "reopen"])))


def opened(path: Path) -> SqliteStore:
    return SqliteStore(path, max_refusals=10, create=True)


def batch(keys: list[Key], number: int = 0) -> Batch:
    # Another time and body each time: only (device, boot, seq) tell readings apart.
    return Batch([a_reading(d, seq, at_ms=T0_MS + number)._replace(boot=b) for d, b, seq in keys])


def rows(path: Path, query: str) -> list[tuple[int, ...]]:
    db = sqlite3.connect(path)
    found = db.execute(query).fetchall()
    db.close()
    return found


@given(PACES)
def test_every_number_is_taken_once(paces: list[tuple[list[Key], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seawall.db"
        one, two = opened(path), opened(path)
        held: set[Key] = set()
        for number, (keys, then) in enumerate(paces):
            new = len({*keys} - held)
            held.update(keys)
            assert one.append(batch(keys, number)) == new
            if then == "settle":
                one.settle()
            elif then == "reopen":
                one.close()
                one = opened(path)
            one, two = two, one
        kept = [(r.device_id, r.boot, r.seq) for r in one.readings(ReadingQuery())]
        assert sorted(kept) == sorted(held)
        assert sum(entry.readings for entry in one.activity()) == len(held)
        one.close()
        two.close()


def test_a_boot_without_gaps_is_one_row_however_often_it_settles(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    for start in range(0, 300, 100):
        store = opened(path)
        for boot in (1, 2):
            keys = [("a", boot + start, seq) for seq in range(start, start + 100)]
            store.append(batch(keys[:50]))
            store.settle()
            store.append(batch(keys[50:]))
        store.settle()
        store.close()
    runs = rows(path, "SELECT boot, first, last FROM run")
    assert runs == [(b + s, s, s + 99) for s in (0, 100, 200) for b in (1, 2)]


def test_a_boot_that_goes_on_after_a_restart_extends_its_row(tmp_path: Path) -> None:
    path = tmp_path / "seawall.db"
    for start in range(0, 50, 10):
        store = opened(path)
        assert store.append(batch([("a", 1, seq) for seq in range(start, start + 10)])) == 10
        store.settle()
        store.close()
    assert rows(path, "SELECT boot, first, last FROM run") == [(1, 0, 49)]


@pytest.mark.parametrize("missing", [{7}, {3, 4, 8}, set(range(0, 20, 2)), set()])
def test_a_database_with_the_older_index_keeps_its_numbers(
    tmp_path: Path, missing: set[int]
) -> None:
    path = tmp_path / "seawall.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, path, STEPS[:2])
    db.execute("INSERT INTO sender (number, device_id, readings) VALUES (1, 'a', 0)")
    held = [(boot, seq) for boot in (1, 2) for seq in range(20) if seq not in missing]
    db.executemany("INSERT INTO reading VALUES (1, 1763759216000, ?, ?, 1, x'7b7d')", held)
    db.close()
    store = opened(path)
    keys = [("a", boot, seq) for boot in (2, 1) for seq in range(20)]
    assert store.append(batch(keys)) == 2 * len(missing)
    store.settle()
    assert store.append(batch(keys)) == 0
    store.close()
