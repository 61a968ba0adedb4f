"""The way of a batch into the file.

What is clustered by device costs a page for each device of a batch: 6 to 12 CPU
microseconds a reading from 500 devices, most of it for copying pages through the
write-ahead log. So a batch goes to the end of the table ``recent``, a row for each
of its devices (see ``blocks``), its windows into ``window_log`` as one blob, and
now and then all of it is *settled* in one piece: the rows of each device are joined
into few of the table ``block``, and the windows folded. Both tables together hold
every reading once: what is held stands in ``run`` as runs of numbers without a gap,
which cost nothing where a unique index costs 0.6 µs. See ``bench/store.py`` for the
figures.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from seawall.errors import StoreError
from seawall.model.reading import Batch, Reading, ReplayWindow
from seawall.store.series import KEPT_BOOTS
from seawall.store.sqlite.blocks import Block, Row, joined, newest, packed, unpacked
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.refusals import keep_refusals
from seawall.store.sqlite.rows import write_rows

_Value = int | bytes | None
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
        blocks: What waits for settling.
        fresh: What is being appended.
    """

    __slots__ = ("blocks", "boot", "first", "fresh", "last", "number", "runs")

    def __init__(self, number: int, newest: tuple[int, int, int]) -> None:
        self.number = number
        self.boot, self.first, self.last = newest
        self.runs: list[tuple[int, int, int]] = []
        self.blocks: list[Block] = []
        self.fresh: list[Row] = []

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
        self.blocks.clear()
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
        self._rows = 0
        """Rows in ``recent``; their numbers run from 1 to this."""
        self._waiting = 0
        """Readings in them."""
        self._waiting_keys: set[tuple[int, int, int]] | None = None
        """(sender, boot, seq) of these readings, gathered once a late reading asks."""
        self._settlings = -1
        self._data_version = -1
        self._undone = -1
        self._settle_from = 0

    def append(self, batch: Batch) -> int:
        """Commit a batch durably (see `ReadingStore.append`)."""
        with self._database.transaction() as db:
            self._catch_up(db)
            new = self._append_new(db, batch.readings)
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
            self._settle_blocks(db)
            db.execute("DELETE FROM recent")
            _fold_windows(db)
            db.execute("UPDATE fact SET value = value + 1 WHERE name = 'settlings'")
            self._settlings += 1
            self._rows = self._waiting = 0
            self._waiting_keys = None

    def _settle_blocks(self, db: sqlite3.Connection) -> None:
        blocks: list[_Value] = []
        counts: list[_Value] = []
        heads: list[_Value] = []
        runs: list[_Value] = []
        for sender in self._senders.values():
            if sender.blocks:
                number = sender.number
                for block in joined(sender.blocks):
                    blocks += (None, number, *block)
                counts += (number, sum([readings for _, _, readings, _ in sender.blocks]))
                heads += (number, *newest(sender.blocks))
                runs += sender.has_settled()
        write_rows(db, "INSERT INTO block VALUES", "(?,?,?,?,?,?)", blocks)
        write_rows(db, _ADD_COUNTS, "(?,?)", counts, _OF_SETTLED)
        write_rows(db, _SET_HEADS, "(?,?,?,?,?,?)", heads, _OF_SETTLED + _IF_NEWER)
        # A run that has grown since the last settling replaces itself: its first is its key.
        write_rows(db, "INSERT OR REPLACE INTO run VALUES", "(?,?,?,?)", runs)

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
            self._rows = self._waiting = 0
            self._waiting_keys = None
        rows = db.execute(
            "SELECT recent.n, device_id, first, last, recent.readings, packed FROM recent"
            " JOIN sender ON sender.number = recent.sender WHERE n > ? ORDER BY n",
            (self._rows,),
        )
        for n, device_id, first_ms, last_ms, readings, data in rows.fetchall():
            sender = self._senders.get(device_id) or self._meet(db, device_id)
            sender.blocks.append((first_ms, last_ms, readings, data))
            for _, boot, seq, _, _ in unpacked(readings, data):
                sender.hold(boot, seq)
                if self._waiting_keys is not None:
                    self._waiting_keys.add((sender.number, boot, seq))
            self._rows = n
            self._waiting += readings
        self._settlings = settlings
        self._data_version = data_version
        self._undone = self._database.undone

    def _append_new(self, db: sqlite3.Connection, readings: Sequence[Reading]) -> int:
        """Append the readings that are not stored yet; return how many they are."""
        flat: list[_Value] = []
        new = 0
        for sender in self._take_new(db, readings):
            rows = sender.fresh
            new += len(rows)
            for block in packed(rows):
                sender.blocks.append(block)
                flat.append(sender.number)
                flat += block
            rows.clear()
        write_rows(db, "INSERT INTO recent VALUES", "(NULL,?,?,?,?,?)", flat)
        self._rows += len(flat) // 5
        self._waiting += new
        return new

    def _take_new(self, db: sqlite3.Connection, readings: Sequence[Reading]) -> list[_Sender]:
        """Give the readings that are not stored yet to their senders; return these."""
        touched: list[_Sender] = []
        senders = self._senders
        keys = self._waiting_keys
        last_id = None
        for device_id, ts_ms, boot, seq, received_ms, body in readings:
            if device_id != last_id:  # a device's readings come some at a time
                last_id = device_id
                sender = senders.get(device_id) or self._meet(db, device_id)
                rows = sender.fresh
            if boot == sender.boot and seq == sender.last + 1:
                sender.last = seq  # nearly always; `hold` without a call
            else:
                if (boot, seq) <= (sender.boot, sender.last):
                    if boot == sender.boot and seq >= sender.first:
                        continue
                    if keys is None:
                        keys = self._gather_waiting_keys()
                    if _is_stored(db, keys, (sender.number, boot, seq)):
                        continue
                sender.hold(boot, seq)
            if keys is not None:
                keys.add((sender.number, boot, seq))
            if not rows:
                touched.append(sender)
            rows.append((ts_ms, boot, seq, received_ms, body))
        return touched

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

    def _gather_waiting_keys(self) -> set[tuple[int, int, int]]:
        senders = self._senders.values()
        keys = {
            (sender.number, row[1], row[2])
            for sender in senders
            for _, _, readings, data in sender.blocks
            for row in unpacked(readings, data)
        }
        keys.update((sender.number, r[1], r[2]) for sender in senders for r in sender.fresh)
        self._waiting_keys = keys
        return keys

    # -- the rest of a batch

    def _log_windows(self, db: sqlite3.Connection, windows: Sequence[ReplayWindow]) -> None:
        logged = []
        for window in windows:
            sender = self._senders.get(window.device_id) or self._meet(db, window.device_id)
            logged.append((sender.number, window.boot, window.top, _seen_bytes(window.seen)))
        db.execute("INSERT INTO window_log (windows) VALUES (?)", (_pack(logged),))

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

_ADD_COUNTS: Final = "UPDATE sender SET readings = readings + settled.column2 FROM (VALUES"
_SET_HEADS: Final = (
    "UPDATE sender SET ts = settled.column2, boot = settled.column3, seq = settled.column4,"
    " received = settled.column5, body = settled.column6 FROM (VALUES"
)
_OF_SETTLED: Final = ") AS settled WHERE number = settled.column1"
_IF_NEWER: Final = (
    " AND (ts IS NULL OR (settled.column2, settled.column3, settled.column4) > (ts, boot, seq))"
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
    for (windows,) in db.execute("SELECT windows FROM window_log ORDER BY n"):
        yield from _unpack(windows)


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
