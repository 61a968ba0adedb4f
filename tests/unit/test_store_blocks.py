"""Blocks of readings: packed, joined, overlapping, damaged, and made of older rows."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.errors import StoreError
from seawall.model.history import ReadingQuery
from seawall.model.reading import Batch, Reading
from seawall.store.sqlite.blocks import (
    MOST_BYTES,
    MOST_READINGS,
    MOST_SPAN_MS,
    Row,
    joined,
    newest,
    packed,
    unpacked,
)
from seawall.store.sqlite.schema import STEPS, migrate
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.memory_store import MemoryStore
from seawall.testing.store_contract import T0_MS, a_reading

BIGGEST = 2**53 - 1
DAY_MS = 86_400_000

ROWS = st.lists(
    st.tuples(
        st.integers(T0_MS, T0_MS + 3 * DAY_MS),
        st.integers(0, BIGGEST),
        st.integers(0, BIGGEST),
        st.integers(T0_MS, T0_MS + 3 * DAY_MS),
        st.binary(max_size=300),
    ),
    min_size=1,
    max_size=40,
)


def opened(path: Path) -> SqliteStore:
    return SqliteStore(path, max_refusals=10, create=True)


def rows_of(blocks: list[tuple[int, int, int, bytes]]) -> list[Row]:
    return [row for _, _, count, data in blocks for row in unpacked(count, data)]


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_packing_and_joining_keep_everything_within_limits(groups: list[list[Row]]) -> None:
    everything = sorted(row for rows in groups for row in rows)
    blocks = [block for rows in groups for block in packed([*rows])]
    for held in (blocks, joined(blocks)):
        assert sorted(rows_of(held)) == everything
        assert newest(held) == everything[-1]
        for first_ms, last_ms, count, data in held:
            times = [row[0] for row in unpacked(count, data)]
            assert (first_ms, last_ms) == (min(times), max(times))
            assert count == len(times) <= MOST_READINGS
            assert last_ms - first_ms <= MOST_SPAN_MS
            assert len(data) <= MOST_BYTES


@pytest.mark.parametrize("count", [1, 15, 16, 255, 256, 257, 1000])
def test_blocks_of_any_length(count: int) -> None:
    rows = [(T0_MS + n, 1, n, T0_MS, b"{}") for n in range(count)]
    blocks = packed([*rows])
    assert rows_of(blocks) == rows
    assert len(blocks) == -(-count // MOST_READINGS)
    assert rows_of(joined(blocks + packed([*rows]))) == rows * 2


def test_large_bodies_stand_in_blocks_of_their_own() -> None:
    rows = [(T0_MS + n, 1, n, T0_MS, bytes(60_000)) for n in range(4)]
    assert [count for _, _, count, _ in joined(packed(rows))] == [1, 1, 1, 1]


TIMES_MS = st.sampled_from([T0_MS + n * 7_200_000 + k for n in range(60) for k in (0, 1)])
BATCHES = st.lists(
    st.tuples(st.lists(TIMES_MS, min_size=1, max_size=30), st.booleans()), min_size=1, max_size=12
)


@given(BATCHES, TIMES_MS, TIMES_MS, st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_overlapping_blocks_are_answered_in_order(
    batches: list[tuple[list[int], bool]], since_ms: int, until_ms: int, last: int
) -> None:
    """Times come in any order over five days, so blocks overlap in every way."""
    memory = MemoryStore()
    seq = 0
    with tempfile.TemporaryDirectory() as folder:
        store = opened(Path(folder) / "t.db")
        for times, settles in batches:
            readings = [
                Reading("a", ts_ms, 1, seq + n, T0_MS, b'{"temp":%d}' % n)
                for n, ts_ms in enumerate(times)
            ]
            seq += len(times)
            store.append(Batch(readings))
            memory.append(Batch(readings))
            if settles:
                store.settle()
        for query in (
            ReadingQuery("a"),
            ReadingQuery(last=last),
            ReadingQuery("a", since_ms=since_ms),
            ReadingQuery("a", until_ms=until_ms, last=last),
            ReadingQuery("a", since_ms=since_ms, until_ms=until_ms),
        ):
            assert list(store.readings(query)) == list(memory.readings(query))
        assert store.activity() == memory.activity()
        if since_ms < until_ms:
            asked = ("a", "temp", since_ms, until_ms, 7)
            assert store.buckets(*asked) == memory.buckets(*asked)
        store.close()


def test_many_pages_of_many_blocks(tmp_path: Path) -> None:
    store = opened(tmp_path / "t.db")
    for start in range(0, 10_000, 500):
        store.append(
            Batch([a_reading(seq=n, at_ms=T0_MS + n * 60_000) for n in range(start, start + 500)])
        )
        store.settle()
    assert [r.seq for r in store.readings(ReadingQuery("a"))] == list(range(10_000))
    assert [r.seq for r in store.readings(ReadingQuery(last=3000))] == list(range(7000, 10_000))
    store.close()


def test_rows_of_an_older_version_become_blocks(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, path, STEPS[:3])
    kept = [
        Reading(name, T0_MS + n * 60_000, 1, n, T0_MS + n, b'{"temp":%d}' % n)
        for name in ("a", "b")
        for n in range(3000)
    ]
    db.execute("BEGIN")
    newest_of = {"a": 2499, "b": 2999}
    for number, (name, top) in enumerate(newest_of.items(), 1):
        head = kept[(number - 1) * 3000 + top]
        db.execute(
            "INSERT INTO sender VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)",
            (number, name, top + 1, *head[1:]),
        )
        db.execute("INSERT INTO run VALUES (?, 1, 0, ?)", (number, top))
        rows = [(number, *r[1:]) for r in kept if r.device_id == name]
        db.executemany("INSERT INTO reading VALUES (?,?,?,?,?,?)", rows[: top + 1])
        # What waited came in an order of its own.
        late = sorted(rows[top + 1 :], key=lambda row: row[3] * 7 % 500)
        db.executemany("INSERT INTO recent VALUES (NULL,?,?,?,?,?,?)", late)
    db.execute("COMMIT")
    db.close()
    store = opened(path)
    assert store.append(Batch(kept)) == 0
    assert list(store.readings(ReadingQuery("a"))) == kept[:3000]
    assert list(store.readings(ReadingQuery("b"))) == kept[3000:]
    for settled in (False, True):
        if settled:
            store.settle()
        activity = store.activity()
        assert [entry.readings for entry in activity] == [3000, 3000]
        assert [entry.last_ts_ms for entry in activity] == [T0_MS + 2999 * 60_000] * 2
    assert store.append(Batch([a_reading("a", 3000, at_ms=T0_MS), kept[0]])) == 1
    assert [r.seq for r in store.readings(ReadingQuery("a"))] == [0, 3000, *range(1, 3000)]
    store.close()


def test_a_damaged_block_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    store = opened(path)
    for settles in (False, True):
        store.append(Batch([a_reading(seq=n + 10 * settles) for n in range(10)]))
        if settles:
            store.settle()
        db = sqlite3.connect(path)
        db.execute(f"UPDATE {'block' if settles else 'recent'} SET packed = substr(packed, 2)")
        db.commit()
        db.close()
        for ask in (
            lambda: list(store.readings(ReadingQuery("a"))),
            lambda: store.buckets("a", "temp", T0_MS, T0_MS + 1000, 3),
        ):
            with pytest.raises(StoreError) as caught:
                ask()
            assert caught.value.reference == "store-corrupt"
            assert str(path) in caught.value.message
        db = sqlite3.connect(path)
        db.execute("DELETE FROM recent")
        db.commit()
        db.close()
    store.close()
