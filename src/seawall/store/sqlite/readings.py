"""Readings and replay windows in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice

from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.reading import RESERVED_MEMBERS, Batch, Reading, ReplayWindow
from seawall.store.series import (
    KEPT_BOOTS,
    LATELY_READINGS,
    fold_buckets,
    metric_of,
    metrics_of,
    quoted_name,
)
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.refusals import keep_refusals


class ReadingsPart:
    """Readings; see `ReadingStore`."""

    _database: Database
    _max_refusals: int

    def append(self, batch: Batch) -> int:
        """Commit a batch durably (see `ReadingStore.append`)."""
        with self._database.transaction() as db:
            numbers = {
                name: _number(db, name)
                for name in {reading.device_id for reading in batch.readings}
                | {window.device_id for window in batch.windows}
            }
            new = 0
            for reading in batch.readings:
                number = numbers[reading.device_id]
                added = db.execute(
                    "INSERT OR IGNORE INTO reading VALUES (?, ?, ?, ?, ?, ?)",
                    (number, *reading[1:]),
                ).rowcount
                new += added
                db.execute(
                    "UPDATE sender SET readings = readings + ?1 WHERE number = ?2", (added, number)
                )
            for window in batch.windows:
                number = numbers[window.device_id]
                seen = window.seen.to_bytes((window.seen.bit_length() + 7) // 8, "big")
                db.execute(
                    "INSERT OR REPLACE INTO replay_window VALUES (?, ?, ?, ?)",
                    (number, window.boot, window.top, seen),
                )
                db.execute(
                    "DELETE FROM replay_window WHERE sender = ?1 AND boot < (SELECT boot"
                    " FROM replay_window WHERE sender = ?1 ORDER BY boot DESC LIMIT 1 OFFSET ?2)",
                    (number, KEPT_BOOTS - 1),
                )
            if batch.refusals:
                refused = keep_refusals(db, batch.refusals, self._max_refusals)
                for name, count in refused.items():
                    known = db.execute(
                        "SELECT 1 FROM device WHERE device_id = ?1 UNION ALL SELECT 1 FROM sender"
                        " WHERE device_id = ?1 AND readings > 0",
                        (name,),
                    ).fetchone()
                    if known:
                        db.execute(
                            "UPDATE sender SET refusals = refusals + ? WHERE number = ?",
                            (count, _number(db, name)),
                        )
        return new

    def windows(self) -> list[ReplayWindow]:
        """Return every replay window that is kept, in no order."""
        with self._database.reading() as db:
            return [
                ReplayWindow(name, boot, top, int.from_bytes(seen, "big"))
                for name, boot, top, seen in db.execute(
                    "SELECT device_id, boot, top, seen FROM replay_window"
                    " JOIN sender ON sender.number = replay_window.sender"
                )
            ]

    def readings(self, query: ReadingQuery) -> Iterator[Reading]:
        """Yield readings by time of measurement, then boot and seq."""
        clauses, values = ["1"], []
        if query.device_id is not None:
            clauses.append("device_id = ?")
            values.append(query.device_id)
        if query.since_ms is not None:
            clauses.append("reading.ts >= ?")
            values.append(query.since_ms)  # type: ignore[arg-type]
        if query.until_ms is not None:
            clauses.append("reading.ts < ?")
            values.append(query.until_ms)  # type: ignore[arg-type]
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT device_id, reading.ts, reading.boot, reading.seq, received, body"  # noqa: S608
                " FROM reading JOIN sender ON sender.number = reading.sender"
                f" WHERE {' AND '.join(clauses)}"
                " ORDER BY reading.ts DESC, reading.boot DESC, reading.seq DESC, device_id DESC",
                values,
            )
            found: Iterator[Reading] = map(Reading._make, rows)
            if query.metric is not None:
                quoted = quoted_name(query.metric)
                name = query.metric
                reserved = name in RESERVED_MEMBERS
                found = (
                    reading
                    for reading in found
                    if not reserved and metric_of(reading.body, name, quoted) is not None
                )
            answer = list(islice(found, query.last))
        return reversed(answer)

    def buckets(
        self, device_id: str, metric: str, since_ms: int, until_ms: int, count: int
    ) -> list[Bucket]:
        """Return one metric's history in at most ``count`` equal spans."""
        points = (
            (reading.ts_ms, reading.body)
            for reading in self.readings(ReadingQuery(device_id, None, since_ms, until_ms))
        )
        return fold_buckets(points, metric, since_ms, until_ms, count)

    def metrics(self, device_id: str) -> list[str]:
        """Return the names of the metrics that a device has sent lately, sorted."""
        newest = self.readings(ReadingQuery(device_id, last=LATELY_READINGS))
        return sorted({name for reading in newest for name in metrics_of(reading.body)})

    def activity(self, device_ids: Sequence[str] | None = None) -> list[DeviceActivity]:
        """Return counts and the newest reading of the devices, sorted by id."""
        with self._database.reading() as db:
            found = {
                row[0]: DeviceActivity(*row)
                for row in db.execute(
                    "SELECT device_id, readings, r.ts, r.received, r.body, refusals FROM sender"
                    " LEFT JOIN reading r ON (r.sender, r.ts, r.boot, r.seq) = (SELECT number, ts,"
                    " boot, seq FROM reading WHERE sender = number"
                    " ORDER BY ts DESC, boot DESC, seq DESC LIMIT 1)"
                )
            }
            if device_ids is None:
                device_ids = [name for (name,) in db.execute("SELECT device_id FROM device")]
                device_ids += [name for name, known in found.items() if known.readings]
        nothing = (0, None, None, None, 0)
        return [found.get(name) or DeviceActivity(name, *nothing) for name in sorted({*device_ids})]


def _number(db: sqlite3.Connection, device_id: str) -> int:
    """Return the number of a sender, a new one if it has none."""
    row = db.execute("SELECT number FROM sender WHERE device_id = ?", (device_id,)).fetchone()
    if row is None:
        row = db.execute(
            "INSERT INTO sender (device_id) VALUES (?) RETURNING number", (device_id,)
        ).fetchone()
    return int(row[0])
