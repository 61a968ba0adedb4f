"""The way of a batch into the file.

Rows that are clustered by device cost a page for each device of a batch: 6 to
12 CPU microseconds a reading from 500 devices, most of it for copying pages
through the write-ahead log. So a batch goes to the end of the table ``recent``
(0.8 µs), its windows into ``window_log`` as one blob (0.3 µs), and now and then
all of it is *settled* in one piece: moved into the clustered ``reading``, and the
windows folded (1 µs a reading). Both tables together hold every reading once:
what is held stands in ``run`` as runs of numbers without a gap, which cost
nothing where a unique index costs 0.6 µs. See ``bench/store.py`` for the figures.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from seawall.errors import StoreError
from seawall.model.reading import Batch, Reading, ReplayWindow
from seawall.store.series import KEPT_BOOTS
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.refusals import keep_refusals
from seawall.store.sqlite.rows import write_rows

_COLUMNS: Final = 6
_NOTHING: Final = (-1, -1, -1)

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[tuple[int, int, int, bytes]]).decode


class _Sender:
    """What the writer remembers of a device.

    Its newest run is (boot, first to last): all of these are stored, and nothing above
    (boot, last) is.

    Attributes:
        number: Its number in the file.
        boot: Of the newest run, -1 if nothing is stored.
        first: Lowest number of the newest run.
        last: Highest number of the newest run.
        runs: Other runs with readings that wait for settling.
        waiting: How many of its readings wait for settling.
    """

    __slots__ = ("boot", "first", "last", "number", "runs", "waiting")

    def __init__(self, number: int, newest: tuple[int, int, int]) -> None:
        self.number = number
        self.boot, self.first, self.last = newest
        self.runs: list[tuple[int, int, int]] = []
        self.waiting = 0

    def hold(self, boot: int, seq: int) -> None:
        """Take a reading, which must be new, into a run."""
        if boot == self.boot and seq == self.last + 1:
            self.last = seq
        elif (boot, seq) > (self.boot, self.last):
            if self.boot >= 0:
                self.runs.append((self.boot, self.first, self.last))
            self.boot, self.first, self.last = boot, seq, seq
        elif self.runs and self.runs[-1][0] == boot and self.runs[-1][2] + 1 == seq:
            self.runs[-1] = (boot, self.runs[-1][1], seq)
        else:
            self.runs.append((boot, seq, seq))

    def has_settled(self) -> list[int]:
        """Return the rows of the runs with waiting readings, one after the other."""
        runs = [*self.runs, (self.boot, self.first, self.last)]
        self.runs.clear()
        self.waiting = 0
        return [value for run in runs for value in (self.number, *run)]


class Appender:
    """Appends batches, and settles them.

    Must be called by one thread at a time, within the write lock.

    Args:
        database: The file.
        max_refusals: So many refusals are kept.
        settle_rows: Settle at the latest when so many readings wait for it; None: by
            the number of devices.
    """

    def __init__(self, database: Database, max_refusals: int, settle_rows: int | None) -> None:
        self._database = database
        self._max_refusals = max_refusals
        self._settle_rows = settle_rows
        self._senders: dict[str, _Sender] = {}
        self._waiting = 0
        """Rows in ``recent``; their numbers run from 1 to this."""
        self._waiting_keys: set[tuple[int, int, int]] | None = None
        """(sender, boot, seq) of all rows in ``recent``, loaded once a late reading asks."""
        self._settlings = -1
        self._data_version = -1
        self._undone = -1
        self._settle_from = 0

    def append(self, batch: Batch) -> int:
        """Commit a batch durably (see `ReadingStore.append`)."""
        with self._database.transaction() as db:
            self._catch_up(db)
            flat = self._new_rows(db, batch.readings)
            new = len(flat) // _COLUMNS
            write_rows(db, "INSERT INTO recent VALUES", "(NULL,?,?,?,?,?,?)", flat)
            self._waiting += new
            if batch.windows:
                self._log_windows(db, batch.windows)
            if batch.refusals:
                self._keep_refusals(db, batch)
        self._settle_when_due(new)
        return new

    def settle(self) -> None:
        """Move what waits into its place, in one transaction."""
        with self._database.transaction() as db:
            self._catch_up(db)
            db.execute(
                "INSERT OR IGNORE INTO reading SELECT sender, ts, boot, seq, received, body"
                " FROM recent"
            )
            self._update_heads(db)
            db.execute("DELETE FROM recent")
            _fold_windows(db)
            db.execute("UPDATE fact SET value = value + 1 WHERE name = 'settlings'")
            self._settlings += 1
            self._waiting = 0
            self._waiting_keys = None

    def _update_heads(self, db: sqlite3.Connection) -> None:
        counts: list[int] = []
        runs: list[int] = []
        for sender in self._senders.values():
            if sender.waiting:
                counts += (sender.number, sender.waiting)
                runs += sender.has_settled()
        # A run that has grown since the last settling replaces itself: its first is its key.
        write_rows(db, "INSERT OR REPLACE INTO run VALUES", "(?,?,?,?)", runs)
        tail = ") AS settled WHERE number = settled.column1"
        write_rows(db, _UPDATE_HEADS, "(?,?)", counts, tail)

    # -- deciding what is new

    def _catch_up(self, db: sqlite3.Connection) -> None:
        """Learn what other processes, or an undone transaction, have made different."""
        (data_version,) = db.execute("PRAGMA data_version").fetchone()
        if self._undone != self._database.undone:
            self._settlings = -1
        elif data_version == self._data_version:
            return
        (settlings,) = db.execute("SELECT value FROM fact WHERE name = 'settlings'").fetchone()
        if settlings != self._settlings:
            self._senders.clear()
            self._waiting = 0
            self._waiting_keys = None
        rows = db.execute(
            "SELECT n, device_id, recent.sender, recent.boot, recent.seq FROM recent"
            " JOIN sender ON sender.number = recent.sender WHERE n > ? ORDER BY n",
            (self._waiting,),
        )
        for n, device_id, number, boot, seq in rows.fetchall():
            sender = self._senders.get(device_id) or self._meet(db, device_id)
            sender.hold(boot, seq)
            sender.waiting += 1
            self._waiting = n
            if self._waiting_keys is not None:
                self._waiting_keys.add((number, boot, seq))
        self._settlings = settlings
        self._data_version = data_version
        self._undone = self._database.undone

    def _new_rows(self, db: sqlite3.Connection, readings: Sequence[Reading]) -> list[int | bytes]:
        """Return the values of the readings that are not stored yet, row after row."""
        flat: list[int | bytes] = []
        senders = self._senders
        keys = self._waiting_keys
        for device_id, ts_ms, boot, seq, received_ms, body in readings:
            sender = senders.get(device_id) or self._meet(db, device_id)
            if boot == sender.boot and seq == sender.last + 1:
                sender.last = seq  # nearly always; `hold` without a call
            else:
                if (boot, seq) <= (sender.boot, sender.last):
                    if boot == sender.boot and seq >= sender.first:
                        continue
                    if keys is None:
                        keys = self._load_waiting_keys(db, flat)
                    if _is_stored(db, keys, (sender.number, boot, seq)):
                        continue
                sender.hold(boot, seq)
            if keys is not None:
                keys.add((sender.number, boot, seq))
            sender.waiting += 1
            flat += (sender.number, ts_ms, boot, seq, received_ms, body)
        return flat

    def _meet(self, db: sqlite3.Connection, device_id: str) -> _Sender:
        """Return a sender that is not remembered, numbered now if it is new."""
        number = sender_number(db, device_id)
        row = db.execute(
            "SELECT boot, first, last FROM run WHERE sender = ?"
            " ORDER BY boot DESC, first DESC LIMIT 1",
            (number,),
        ).fetchone()
        sender = self._senders[device_id] = _Sender(number, row or _NOTHING)
        return sender

    def _load_waiting_keys(
        self, db: sqlite3.Connection, flat: list[int | bytes]
    ) -> set[tuple[int, int, int]]:
        keys = set(db.execute("SELECT sender, boot, seq FROM recent"))
        keys.update(zip(flat[0::_COLUMNS], flat[2::_COLUMNS], flat[3::_COLUMNS], strict=True))
        self._waiting_keys = keys
        return keys

    # -- the rest of a batch

    def _log_windows(self, db: sqlite3.Connection, windows: Sequence[ReplayWindow]) -> None:
        packed = []
        for window in windows:
            sender = self._senders.get(window.device_id) or self._meet(db, window.device_id)
            packed.append((sender.number, window.boot, window.top, _seen_bytes(window.seen)))
        db.execute("INSERT INTO window_log (windows) VALUES (?)", (_pack(packed),))

    def _keep_refusals(self, db: sqlite3.Connection, batch: Batch) -> None:
        for name, count in keep_refusals(db, batch.refusals, self._max_refusals).items():
            # Strangers' names are not counted one by one: anybody could invent a million.
            sender = self._senders.get(name)
            known = (sender is not None and sender.boot >= 0) or db.execute(
                "SELECT 1 FROM device WHERE device_id = ?1 UNION ALL SELECT 1 FROM sender"
                " WHERE device_id = ?1 AND readings > 0",
                (name,),
            ).fetchone()
            if known:
                db.execute(
                    "UPDATE sender SET refusals = refusals + ? WHERE number = ?",
                    (count, sender_number(db, name)),
                )

    def _settle_when_due(self, new: int) -> None:
        """Settle if much waits, or if some waits and there is time."""
        limit = self._settle_rows
        if limit is None:
            limit = min(_MOST_WAITING, max(_FEW_WAITING, len(self._senders) * _PER_SENDER))
            if new < _QUIET_ROWS:
                limit = _QUIET_WAITING
        if self._waiting < max(limit, self._settle_from):
            return
        try:
            self.settle()
            self._settle_from = 0
        except StoreError:
            # The batch is durable already, and is read from where it is. Try again later.
            self._settle_from = self._waiting + limit


_FEW_WAITING: Final = 20_000
_MOST_WAITING: Final = 100_000
_PER_SENDER: Final = 60
_QUIET_ROWS: Final = 64
_QUIET_WAITING: Final = 4_000

_UPDATE_HEADS: Final = (
    "UPDATE sender SET readings = readings + settled.column2, (ts, boot, seq, received, body) ="
    " (SELECT ts, boot, seq, received, body FROM reading WHERE reading.sender = number"
    "  ORDER BY ts DESC, boot DESC, seq DESC LIMIT 1) FROM (VALUES"
)
_TRIM_WINDOWS: Final = (
    "DELETE FROM replay_window WHERE (sender, boot) IN (SELECT sender, boot FROM (SELECT sender,"
    " boot, row_number() OVER (PARTITION BY sender ORDER BY boot DESC) AS age FROM replay_window)"
    " WHERE age > ?)"
)


def sender_number(db: sqlite3.Connection, device_id: str) -> int:
    """Return the number of a sender, a new one if it has none, within a transaction."""
    row = db.execute("SELECT number FROM sender WHERE device_id = ?", (device_id,)).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO sender (device_id) VALUES (?) RETURNING number", (device_id,)
        ).fetchone()
    return int(row[0])


def _is_stored(
    db: sqlite3.Connection, keys: set[tuple[int, int, int]], key: tuple[int, int, int]
) -> bool:
    """Whether a reading waits, or is in a settled run: only the one that begins next below it."""
    if key in keys:
        return True
    row = db.execute(
        "SELECT last FROM run WHERE sender = ? AND boot = ? AND first <= ?"
        " ORDER BY first DESC LIMIT 1",
        key,
    ).fetchone()
    return row is not None and row[0] >= key[2]


def logged_windows(db: sqlite3.Connection) -> Iterable[tuple[int, int, int, bytes]]:
    """Yield (sender, boot, top, seen) of the windows that are not folded yet, oldest first."""
    for (packed,) in db.execute("SELECT windows FROM window_log ORDER BY n"):
        yield from _unpack(packed)


def _fold_windows(db: sqlite3.Connection) -> None:
    newest = {(sender, boot): (top, seen) for sender, boot, top, seen in logged_windows(db)}
    flat = [value for place, window in newest.items() for value in (*place, *window)]
    (before,) = db.execute("SELECT count(*) FROM replay_window").fetchone()
    write_rows(db, "INSERT OR REPLACE INTO replay_window VALUES", "(?,?,?,?)", flat)
    (after,) = db.execute("SELECT count(*) FROM replay_window").fetchone()
    if after > before:
        db.execute(_TRIM_WINDOWS, (KEPT_BOOTS,))
    db.execute("DELETE FROM window_log")


def _seen_bytes(seen: int) -> bytes:
    try:
        return seen.to_bytes(32, "big")
    except OverflowError:
        return seen.to_bytes((seen.bit_length() + 7) // 8, "big")
