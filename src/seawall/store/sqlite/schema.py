"""The schema, as numbered steps forward.

A released step is never edited: a database of any released version is brought
forward by the steps it lacks. The number of steps taken stands in the file's
``user_version``; ``application_id`` says that the file is ours.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from seawall.errors import StoreError
from seawall.store.sqlite.blocks import RowsToBlock

APPLICATION_ID: Final = 0x5377616C
"""``Swal``, at byte 68 of the file (SQLite file format, section 1.3)."""

Step = tuple[str, ...]

_BLOCKS_OF: Final = (
    "SELECT NULL, sender, min(ts), max(ts), count(*), block_of(ts, boot, seq, received, body)"
    " FROM (SELECT *, ts / 86400000 AS day,"
    " (row_number() OVER (PARTITION BY sender ORDER BY ts, boot, seq) - 1) / 256 AS part"
    " FROM {}) GROUP BY sender, day, part"
)
"""Part of step 4: rows of readings as blocks of 256 at most, none beyond a day."""

STEPS: Final[tuple[Step, ...]] = (
    (
        "CREATE TABLE fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "INSERT INTO fact VALUES ('registry-revision', 0), ('settlings', 0), ('checked', 0)",
        # Readings name their device by a small number. No foreign keys from them: a look-up
        # for every row. The newest settled reading stands beside the count.
        "CREATE TABLE sender (number INTEGER PRIMARY KEY, device_id TEXT NOT NULL UNIQUE,"
        " readings INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,"
        " ts INTEGER, boot INTEGER, seq INTEGER, received INTEGER, body BLOB) STRICT",
        # What came lately, in order of arrival; appending.py says why.
        "CREATE TABLE recent (n INTEGER PRIMARY KEY, sender INTEGER NOT NULL, ts INTEGER NOT NULL,"
        " boot INTEGER NOT NULL, seq INTEGER NOT NULL, received INTEGER NOT NULL,"
        " body BLOB NOT NULL) STRICT",
        "CREATE TABLE reading (sender INTEGER NOT NULL, ts INTEGER NOT NULL,"
        " boot INTEGER NOT NULL, seq INTEGER NOT NULL, received INTEGER NOT NULL,"
        " body BLOB NOT NULL, PRIMARY KEY (sender, ts, boot, seq)) STRICT, WITHOUT ROWID",
        "CREATE UNIQUE INDEX reading_identity ON reading (sender, boot, seq)",
        "CREATE TABLE window_log (n INTEGER PRIMARY KEY, windows BLOB NOT NULL) STRICT",
        "CREATE TABLE replay_window (sender INTEGER NOT NULL,"
        " boot INTEGER NOT NULL, top INTEGER NOT NULL, seen BLOB NOT NULL,"
        " PRIMARY KEY (sender, boot)) STRICT, WITHOUT ROWID",
        "CREATE TABLE refusal (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
        " reason TEXT NOT NULL, device_id TEXT, topic TEXT NOT NULL, detail TEXT NOT NULL,"
        " payload BLOB NOT NULL, payload_bytes INTEGER NOT NULL, peer TEXT NOT NULL) STRICT",
        "CREATE TABLE refusal_count (reason TEXT PRIMARY KEY, refusals INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID",
        "CREATE TABLE device (device_id TEXT PRIMARY KEY, facts TEXT NOT NULL)"
        " STRICT, WITHOUT ROWID",
        "CREATE TABLE event (number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL,"
        " kind TEXT NOT NULL, subject TEXT NOT NULL, actor TEXT NOT NULL, detail TEXT NOT NULL)"
        " STRICT",
        "CREATE INDEX event_subject ON event (subject, number)",
        "CREATE TABLE user (name TEXT PRIMARY KEY, role TEXT NOT NULL,"
        " password_hash TEXT NOT NULL, added INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "CREATE TABLE session (token_sha256 TEXT PRIMARY KEY,"
        " user_name TEXT NOT NULL REFERENCES user (name), kind TEXT NOT NULL,"
        " csrf TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID",
        "CREATE INDEX session_user ON session (user_name)",
        "CREATE TABLE command_number (device_id TEXT PRIMARY KEY, number INTEGER NOT NULL)"
        " STRICT, WITHOUT ROWID",
    ),
    (
        # command_number outlives the commands: numbers are never given twice.
        "CREATE TABLE command (device_id TEXT NOT NULL, n INTEGER NOT NULL, name TEXT NOT NULL,"
        " payload BLOB NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, interval INTEGER,"
        " state TEXT NOT NULL, answered INTEGER, answer TEXT,"
        " PRIMARY KEY (device_id, n)) STRICT, WITHOUT ROWID",
        "CREATE INDEX command_open ON command (at) WHERE state IN ('queued', 'sent')",
        "INSERT INTO fact VALUES ('command-revision', 0)",
    ),
    (
        # Which (boot, seq) are settled, as runs without a gap: nearly always one for each
        # boot, where an index has a row for each reading.
        "CREATE TABLE run (sender INTEGER NOT NULL, boot INTEGER NOT NULL, first INTEGER NOT NULL,"
        " last INTEGER NOT NULL, PRIMARY KEY (sender, boot, first)) STRICT, WITHOUT ROWID",
        "INSERT INTO run SELECT sender, boot, min(seq), max(seq) FROM (SELECT sender, boot, seq,"
        " seq - row_number() OVER (PARTITION BY sender, boot ORDER BY seq) AS island FROM reading)"
        " GROUP BY sender, boot, island",
        "DROP INDEX reading_identity",
    ),
    (
        # Many readings of a sender in one row; blocks.py says why.
        "CREATE TABLE block (n INTEGER PRIMARY KEY, sender INTEGER NOT NULL,"
        " first INTEGER NOT NULL, last INTEGER NOT NULL, readings INTEGER NOT NULL,"
        " packed BLOB NOT NULL) STRICT",
        f"INSERT INTO block {_BLOCKS_OF.format('reading')}",
        "DROP TABLE reading",
        "CREATE INDEX block_first ON block (sender, first)",
        "CREATE INDEX block_last ON block (sender, last)",
        "ALTER TABLE recent RENAME TO recent_rows",
        "CREATE TABLE recent (n INTEGER PRIMARY KEY, sender INTEGER NOT NULL,"
        " first INTEGER NOT NULL, last INTEGER NOT NULL, readings INTEGER NOT NULL,"
        " packed BLOB NOT NULL) STRICT",
        f"INSERT INTO recent {_BLOCKS_OF.format('recent_rows')}",
        "DROP TABLE recent_rows",
    ),
    (
        # Roll-outs. What is asked for stands in columns, the rest in `facts`, as JSON.
        "CREATE TABLE rollout (number INTEGER PRIMARY KEY, rollout_id TEXT NOT NULL UNIQUE,"
        " state TEXT NOT NULL, version TEXT NOT NULL, revision INTEGER NOT NULL,"
        " facts TEXT NOT NULL) STRICT",
        "CREATE TABLE way (rollout_id TEXT NOT NULL, device_id TEXT NOT NULL, n INTEGER,"
        " state TEXT NOT NULL, revision INTEGER NOT NULL, facts TEXT NOT NULL,"
        " PRIMARY KEY (rollout_id, device_id)) STRICT, WITHOUT ROWID",
        "CREATE INDEX way_of_device ON way (device_id, n)",
        "CREATE TABLE software (device_id TEXT PRIMARY KEY, version TEXT NOT NULL,"
        " slot TEXT NOT NULL, trial INTEGER NOT NULL, boot INTEGER NOT NULL,"
        " at INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        "INSERT INTO fact VALUES ('rollout-revision', 0)",
    ),
)


def migrate(db: sqlite3.Connection, path: Path, steps: tuple[Step, ...] = STEPS) -> None:
    """Bring a database forward to the newest schema, in one transaction.

    Args:
        db: A connection in autocommit mode.
        path: Of its file, for errors.
        steps: The steps there are.

    Raises:
        StoreError: if the file belongs to another program (``store-foreign``) or
            to a newer Seawall (``store-newer``).
    """
    if _version(db, path, steps) == len(steps):
        return
    db.create_aggregate("block_of", 5, RowsToBlock)  # type: ignore[arg-type]
    db.execute("BEGIN IMMEDIATE")
    try:
        # Asked again under the lock: another process may have just done it.
        for step in steps[_version(db, path, steps) :]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(steps)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def check_current(db: sqlite3.Connection, path: Path) -> None:
    """Check that a database has the newest schema, and change nothing.

    Raises:
        StoreError: as `migrate`, or it is of an older Seawall (``store-older``).
    """
    if _version(db, path, STEPS) != len(STEPS):
        raise StoreError(
            f"database {path} was written by an older Seawall",
            reference="store-older",
            hint="any command that opens it brings it forward: 'seawall device list'",
        )


def _version(db: sqlite3.Connection, path: Path, steps: tuple[Step, ...]) -> int:
    """Return how many steps the database has taken.

    Raises:
        StoreError: if the file is not ours, or ahead of us.
    """
    # One statement reads one state: between three, another process may make the schema.
    application_id, version, tables = db.execute(
        "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)"
        " FROM pragma_application_id, pragma_user_version"
    ).fetchone()
    if application_id != APPLICATION_ID and (tables or application_id or version):
        raise StoreError(
            f"{path} is a SQLite database of another program",
            reference="store-foreign",
            hint="name the state directory that 'seawall init' made",
        )
    if version > len(steps):
        raise StoreError(
            f"{path} was written by a newer Seawall: its schema is {version},"
            f" this one knows {len(steps)}",
            reference="store-newer",
            hint="use the newer Seawall, or restore the backup taken before it",
        )
    return int(version)
