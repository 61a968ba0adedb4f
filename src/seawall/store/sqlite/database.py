"""The database file: one connection that writes, a pool of those that read."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from seawall.errors import StoreError
from seawall.store.sqlite.failures import told
from seawall.store.sqlite.schema import check_current, migrate

_BUSY_TIMEOUT_S: Final = 30.0
_CHECKPOINT_PAGES: Final = 4000
"""The WAL is folded in after 16 MB: the more batches share a page, the fewer writes it costs."""
_WAL_LIMIT_BYTES: Final = 64 << 20

_WRITER_CACHE_KIB: Final = 32 << 10
_OLDEST_SQLITE: Final = (3, 37, 0)  # STRICT tables


class Database:
    """Connections to one file, for many threads and beside other processes.

    Writers of all processes queue at ``BEGIN IMMEDIATE``; readers see the last
    commit and never wait (write-ahead log, https://www.sqlite.org/wal.html).

    Args:
        path: The file.
        create: Make the file if it is not there.
        read_only: Change nothing: not its schema, nor its mode, nor how it keeps its log.

    Raises:
        StoreError: if it cannot be opened, is not ours, or would have to be brought forward first.
    """

    def __init__(self, path: Path, *, create: bool, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only
        self.undone = 0
        """How many transactions were rolled back; what was learnt in one is void."""
        self._lock = threading.Lock()
        self._closed = False
        self._readers: deque[sqlite3.Connection] = deque()
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise StoreError(
                f"cannot use database {path}: SQLite {sqlite3.sqlite_version} is too old",
                reference="store-engine-old",
                hint="use a Python with SQLite 3.37 or later",
            )
        _prepare_file(path, create, keep_mode=read_only)
        try:
            self._writer = self._connect()
            try:
                if read_only:
                    check_current(self._writer, path)
                else:
                    migrate(self._writer, path)
                    self._writer.execute(f"PRAGMA cache_size = -{_WRITER_CACHE_KIB}")
                    _use_wal(self._writer)
            except BaseException:
                self._writer.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise told(error, path) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit durably at the end, or undo everything.

        Raises:
            StoreError: if the engine fails; nothing was changed then.
        """
        with self._lock:
            if self._closed:
                raise self._closed_error()
            db = self._writer
            try:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
            except BaseException as error:
                self._undo()
                if isinstance(error, sqlite3.Error | OSError):
                    raise told(error, self.path) from error
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that only reads.

        Raises:
            StoreError: if the engine fails.
        """
        try:
            db = self._readers.pop()
        except IndexError:
            db = None
        try:
            if self._closed:
                raise self._closed_error()
            if db is None:
                db = self._connect()
                db.execute("PRAGMA query_only = ON")
            yield db
        except (sqlite3.Error, OSError) as error:
            raise told(error, self.path) from error
        finally:
            if db is not None:
                self._give_back(db)

    def close(self) -> None:
        """Close every connection that is not in use; the others close when they are given back."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while self._readers:
                self._readers.pop().close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?{self._mode()}",
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA secure_delete = FAST")
        return db

    def _mode(self) -> str:
        if not self._read_only:
            return "mode=rw"
        # Without a log beside it nobody has it open, and all of it stands in the file itself;
        # to open it as usual would leave an empty log and its index behind.
        log = self.path.with_name(f"{self.path.name}-wal")
        return "mode=ro" if log.exists() else "mode=ro&immutable=1"

    def _give_back(self, db: sqlite3.Connection) -> None:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if self._closed:
            db.close()
        else:
            self._readers.append(db)

    def _undo(self) -> None:
        """Roll back, with a fresh connection if this one is beyond it."""
        self.undone += 1
        try:
            if self._writer.in_transaction:  # a full disk has SQLite roll back by itself
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer.close()
            self._writer = self._connect()

    def _closed_error(self) -> StoreError:
        return StoreError(f"the store on {self.path} is closed", reference="store-closed")


def _prepare_file(path: Path, create: bool, *, keep_mode: bool) -> None:
    """See that the file is there, plain, and open to its owner only (unless its mode is kept).

    SQLite gives -wal and -shm the mode of the database itself.
    """
    if path.is_dir():
        raise StoreError(
            f"{path} is a directory, not a database",
            reference="store-unwritable",
            hint="name the file, such as STATE/seawall.db",
        )
    try:
        if create:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        elif not path.exists():
            raise StoreError(
                f"there is no database {path}",
                reference="store-missing",
                hint="'seawall init' makes one",
            )
        elif not path.stat().st_size:
            # Never one of ours: to go on with an empty one would forget the fleet in silence.
            raise StoreError(
                f"database {path} is empty",
                reference="store-corrupt",
                hint="restore a backup of it; nothing was changed",
            )
        if path.stat().st_mode & 0o077 and not keep_mode:
            path.chmod(0o600)
    except OSError as error:
        raise told(error, path) from error


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; no busy handler waits for that, so wait here."""
    deadline = time.monotonic() + _BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
