"""What is particular to SQLite: the file, its mode and version, a full disk, damage."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from seawall.errors import StoreError, StoreFullError
from seawall.model.history import ReadingQuery
from seawall.model.reading import Batch, ReplayWindow
from seawall.store.rollout_text import way_of, way_text
from seawall.store.sqlite import open_sqlite_store
from seawall.store.sqlite.schema import APPLICATION_ID, STEPS, migrate
from seawall.store.sqlite.store import SqliteStore
from seawall.testing.command_contract import order
from seawall.testing.rollout_contract import a_way, begin, offered
from seawall.testing.store_contract import T0_MS, a_device, a_reading, a_refusal, an_event

NOBODY_UID = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "seawall.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, max_refusals=10, create=True)
    yield store
    store.close()


def refused(path: Path, *, create: bool = False) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_sqlite_store(path, create=create)
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def in_child(work: Callable[..., object], *args: object) -> object:
    """Run a function in a process of its own, and return what it returns."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, args)


# -- opening


def test_all_files_are_the_owners_alone(store: SqliteStore, path: Path) -> None:
    store.append(Batch([a_reading()]))
    store.activity()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("seawall.db", "seawall.db-wal", "seawall.db-shm"), 0o600)


def test_a_file_that_others_may_read_is_closed_to_them(store: SqliteStore, path: Path) -> None:
    store.close()
    path.chmod(0o644)
    open_sqlite_store(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_file_is_made_only_on_demand(path: Path) -> None:
    assert refused(path).reference == "store-missing"
    assert not path.exists()
    open_sqlite_store(path, create=True).close()
    open_sqlite_store(path).close()
    open_sqlite_store(path, create=True).close()


def test_a_missing_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "no" / "where.db", create=True).reference == "store-unwritable"


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    assert refused(tmp_path).reference == "store-unwritable"


def open_as_nobody(path: Path) -> tuple[str, str]:
    if os.geteuid() == 0:
        os.setuid(NOBODY_UID)
    try:
        open_sqlite_store(path)
    except StoreError as error:
        return error.reference, error.hint
    return "opened", ""


def test_a_folder_that_cannot_be_written(store: SqliteStore, path: Path) -> None:
    store.close()
    for folder in path.parents:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    if os.geteuid() == 0:
        os.chown(path, NOBODY_UID, -1)
    path.parent.chmod(0o555)
    try:
        reference, hint = in_child(open_as_nobody, path)  # type: ignore[misc]
    finally:
        path.parent.chmod(0o755)
    assert reference == "store-unwritable"
    assert "folder" in hint


def test_a_file_of_something_else(path: Path) -> None:
    path.write_bytes(b"name,temp\n" * 1000)
    assert refused(path).reference == "store-corrupt"


def test_a_database_of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    assert refused(path, create=True).reference == "store-foreign"


def read_all(path: Path) -> None:
    with closing(open_sqlite_store(path)) as store:
        store.check()
        list(store.readings(ReadingQuery()))


@pytest.mark.parametrize("keep", [100, 5000])
def test_a_truncated_or_overwritten_file(store: SqliteStore, path: Path, keep: int) -> None:
    store.append(Batch([a_reading(seq=n) for n in range(2000)]))
    store.settle()
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:keep] + os.urandom(len(whole) - keep))
    with pytest.raises(StoreError) as caught:
        read_all(path)
    assert caught.value.reference == "store-corrupt"
    assert str(path) in caught.value.message
    assert "backup" in caught.value.hint


# -- versions


def test_an_engine_that_is_too_old(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seawall.store.sqlite.database._OLDEST_SQLITE", (99, 0, 0))
    assert refused(path, create=True).reference == "store-engine-old"
    assert not path.exists()


def test_the_file_says_whose_it_is(store: SqliteStore, path: Path) -> None:
    db = sqlite3.connect(path)
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert db.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_newer_schema_is_left_alone(store: SqliteStore, path: Path) -> None:
    store.close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    db.close()
    assert refused(path).reference == "store-newer"


def test_a_database_of_the_first_schema_gets_the_queue_and_keeps_its_numbers(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, path, STEPS[:1])
    db.execute("INSERT INTO command_number VALUES ('a', 41)")
    db.close()
    store = SqliteStore(path, max_refusals=10, create=False)
    assert store.last_command_number("a") == 41
    assert store.commands() == []
    order(store)
    assert [command.n for command in store.commands()] == [42]
    store.close()


def test_a_database_without_rollouts_gets_them_and_keeps_its_queue(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, path, STEPS[:3])
    db.execute("INSERT INTO command_number VALUES ('a', 41)")
    db.close()
    store = SqliteStore(path, max_refusals=10, create=False)
    assert (store.rollouts(), store.software(), store.rollout_revision()) == ([], [], 0)
    begin(store, "r1", "a")
    assert store.last_command_number("a") == 41
    store.close()


def test_steps_are_taken_once_in_order_or_not_at_all(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    first = ("CREATE TABLE t (x)", "INSERT INTO t VALUES (1)")
    second = ("INSERT INTO t VALUES (2)",)
    broken = ("INSERT INTO t VALUES (3)", "INSERT INTO nowhere VALUES (4)")
    migrate(db, path, (first,))
    migrate(db, path, (first, second))
    migrate(db, path, (first, second))
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, path, (first, second, broken))
    assert db.execute("SELECT x FROM t").fetchall() == [(1,), (2,)]
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()


# -- no room


def test_a_full_disk_refuses_whole_batches_and_loses_nothing(store: SqliteStore) -> None:
    (pages,) = store._database._writer.execute("PRAGMA page_count").fetchone()
    store._database._writer.execute(f"PRAGMA max_page_count = {pages + 30}")
    stored, failure = 0, None
    while failure is None:
        batch = [a_reading(seq=stored + n) for n in range(100)]
        try:
            store.append(Batch(batch, [ReplayWindow("a", 1, stored + 99, 1)], [a_refusal()]))
            stored += 100
        except StoreFullError as error:
            failure = error
    assert failure.reference == "store-full"
    assert stored > 0
    assert [r.seq for r in store.readings(ReadingQuery("a"))] == list(range(stored))
    assert [window.top for window in store.windows()] == [stored - 1]
    assert sum(store.refusal_counts().values()) == stored // 100
    store._database._writer.execute("PRAGMA max_page_count = 100000")
    assert store.append(Batch([a_reading(seq=stored + n) for n in range(100)])) == 100


def fill_up(path: Path) -> tuple[int, list[int], int, str]:
    """Append until no file may grow; then allow it again and go on."""
    store = SqliteStore(path, max_refusals=10, create=True)
    limit = max(file.stat().st_size for file in path.parent.iterdir()) + 200_000
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    stored, words = 0, ""
    try:
        while stored < 100_000:
            store.append(Batch([a_reading(seq=stored + n) for n in range(100)]))
            stored += 100
    except StoreFullError as error:
        words = error.reference
    kept = [reading.seq for reading in store.readings(ReadingQuery())]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    again = store.append(Batch([a_reading(seq=stored + n) for n in range(100)]))
    store.close()
    return stored, kept, again, words


def test_files_that_may_not_grow_refuse_whole_batches(path: Path) -> None:
    stored, kept, again, words = in_child(fill_up, path)  # type: ignore[misc]
    assert words == "store-full"
    assert stored > 0
    assert kept == list(range(stored))
    assert again == 100


def test_a_settling_that_fails_keeps_what_waits(store: SqliteStore, path: Path) -> None:
    store.append(Batch([a_reading(seq=n) for n in range(1000)]))
    writer = store._database._writer
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreFullError):
        store.settle()
    assert len(list(store.readings(ReadingQuery("a")))) == 1000
    assert store.append(Batch([a_reading(seq=5), a_reading(seq=1000)])) == 1
    writer.execute("PRAGMA max_page_count = 100000")
    store.settle()
    assert len(list(store.readings(ReadingQuery("a")))) == 1001
    assert store.activity(["a"])[0].readings == 1001


# -- several connections


def test_another_process_sees_the_registry_change(store: SqliteStore, path: Path) -> None:
    other = open_sqlite_store(path)
    before = other.registry_revision()
    store.add_device(a_device(), an_event())
    assert other.registry_revision() > before
    other.close()


def test_settling_while_an_answer_is_read(store: SqliteStore) -> None:
    store.append(Batch([a_reading(d, n) for n in range(500) for d in "ab"]))
    for query in (ReadingQuery(), ReadingQuery("a")):
        answer = store.readings(query)
        found = [next(answer)]
        store.settle()
        store.append(Batch([a_reading("c", 1, at_ms=T0_MS)]))
        found += answer
        assert len(found) == len(set(found)) == (1000 if query.device_id is None else 500)


def test_late_readings_are_found_wherever_they_wait(path: Path) -> None:
    one = SqliteStore(path, max_refusals=10, create=True, settle_rows=50)
    two = SqliteStore(path, max_refusals=10, create=True, settle_rows=70)
    sent = [a_reading(d, n * 7 % 100) for n in range(100) for d in "abc"]
    new = 0
    for number in range(0, 300, 10):
        batch = Batch(sent[number : number + 10])
        first, second = (one, two) if number % 20 else (two, one)
        new += first.append(batch)
        assert second.append(batch) == 0
    assert new == 300
    assert [entry.readings for entry in two.activity()] == [100] * 3
    one.close()
    two.close()


def test_reading_connections_are_few(store: SqliteStore) -> None:
    for _ in range(50):
        store.devices()
    assert len(store._database._readers) == 1


def test_ways_of_earlier_checkouts_are_read() -> None:
    way = offered(a_way(), 7)
    assert way_of("r1", "a", 0, way_text(way)) == way
    without_first_n = json.dumps(json.loads(way_text(way))[:-1])
    assert way_of("r1", "a", 0, without_first_n) == replace(way, first_n=None)
