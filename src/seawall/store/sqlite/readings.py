"""Readings and replay windows in SQLite: what is asked of them.

A reading stands in a block (see ``blocks``) either in ``recent`` or, once settled,
in ``block``. Every answer takes both in. Blocks of one sender may overlap in time.
Long answers come page by page, each page a short transaction: a reader that pauses
for an hour keeps nobody from writing, and the write-ahead log from growing.
"""

from __future__ import annotations

import heapq
import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.reading import (
    RESERVED_MEMBERS,
    Batch,
    Reading,
    ReplayWindow,
)
from seawall.store.series import (
    KEPT_BOOTS,
    LATELY_READINGS,
    fold_buckets,
    metric_of,
    metrics_of,
    quoted_name,
)
from seawall.store.sqlite.appending import Appender, logged_windows
from seawall.store.sqlite.blocks import MOST_SPAN_MS, Row, unpacked
from seawall.store.sqlite.database import Database

_FIRST_PAGE_BLOCKS: Final = 1
_PAGE_BLOCKS: Final = 16
_MAX_NAMES: Final = 500
_UNFILTERED: Final = (None, None, None)
_EVER_MS: Final = (-(1 << 62), 1 << 62)


class ReadingsPart:
    """Readings; see `ReadingStore`."""

    _database: Database
    _appender: Appender

    def append(self, batch: Batch) -> int:
        """Commit a batch durably (see `ReadingStore.append`)."""
        return self._appender.append(batch)

    def windows(self) -> list[ReplayWindow]:
        """Return every replay window that is kept, in no order."""
        with self._database.reading() as db:
            db.execute("BEGIN")
            names = dict(db.execute("SELECT number, device_id FROM sender"))
            kept: dict[int, dict[int, tuple[int, bytes]]] = {}
            for sender, boot, top, seen in db.execute("SELECT * FROM replay_window"):
                kept.setdefault(sender, {})[boot] = (top, seen)
            for sender, boot, top, seen in logged_windows(db):
                kept.setdefault(sender, {})[boot] = (top, seen)
        return [
            ReplayWindow(names[sender], boot, top, int.from_bytes(seen, "big"))
            for sender, boots in kept.items()
            for boot, (top, seen) in sorted(boots.items())[-KEPT_BOOTS:]
        ]

    def readings(self, query: ReadingQuery) -> Iterator[Reading]:
        """Yield readings by time of measurement, then boot and seq."""
        since_ms = _EVER_MS[0] if query.since_ms is None else query.since_ms
        until_ms = _EVER_MS[1] if query.until_ms is None else query.until_ms
        backwards = query.last is not None
        with self._database.reading() as db:
            # Before any page: what settles meanwhile is then met twice, never missed.
            waiting = _waiting(db, query.device_id, since_ms, until_ms)
            if query.last and (query.device_id, query.until_ms, query.metric) == _UNFILTERED:
                senders = _newest_senders(db, query.last)
            else:
                senders = _senders(db, query.device_id)
        waiting.sort(key=_place, reverse=backwards)
        pages = [
            self._settled(number, device_id, since_ms, until_ms, backwards)
            for device_id, number in senders.items()
        ]
        found: Iterator[Reading]
        if len(pages) == 1 and not waiting:
            found = pages[0]
        else:
            found = _once(heapq.merge(waiting, *pages, key=_place, reverse=backwards))
        if query.metric is not None:
            found = _having(found, query.metric)
        if query.last is not None:
            return reversed(list(islice(found, max(0, query.last))))
        return found

    def buckets(
        self, device_id: str, metric: str, since_ms: int, until_ms: int, count: int
    ) -> list[Bucket]:
        """Return one metric's history in at most ``count`` equal spans."""
        with self._database.reading() as db:
            blocks = db.execute(
                "SELECT readings, packed FROM block WHERE sender = ?1 AND first < ?3"
                " AND first >= ?2 - ?4 AND last >= ?2 UNION ALL SELECT readings, packed"
                " FROM recent WHERE sender = ?1 AND first < ?3 AND last >= ?2",
                (_senders(db, device_id).get(device_id), since_ms, until_ms, MOST_SPAN_MS),
            )
            points = (
                (row[0], row[4])
                for block in blocks
                for row in unpacked(*block)
                if since_ms <= row[0] < until_ms
            )
            return fold_buckets(points, metric, since_ms, until_ms, count)

    def metrics(self, device_id: str) -> list[str]:
        """Return the names of the metrics that a device has sent lately, sorted."""
        newest = self.readings(ReadingQuery(device_id, last=LATELY_READINGS))
        return sorted({name for reading in newest for name in metrics_of(reading.body)})

    def activity(self, device_ids: Sequence[str] | None = None) -> list[DeviceActivity]:
        """Return counts and the newest reading of the devices, sorted by id."""
        with self._database.reading() as db:
            db.execute("BEGIN")
            heads = _heads(db, device_ids)
            _add_waiting(db, heads)
            if device_ids is None:
                device_ids = [name for (name,) in db.execute("SELECT device_id FROM device")]
                device_ids += [head.device_id for head in heads.values() if head.readings]
        found = {head.device_id: head.activity() for head in heads.values()}
        return [
            found.get(name) or DeviceActivity(name, 0, None, None, None, 0)
            for name in sorted({*device_ids})
        ]

    def _settled(
        self, number: int, device_id: str, since_ms: int, until_ms: int, backwards: bool
    ) -> Iterator[Reading]:
        """Yield the settled readings of one sender, a page at a time.

        Blocks come by their near end, so what is before the near end of the next one
        has nothing to wait for.
        """
        count = _FIRST_PAGE_BLOCKS
        statement = _PAGE_BACK if backwards else _PAGE
        edge_ms = until_ms + MOST_SPAN_MS if backwards else since_ms - MOST_SPAN_MS
        n = 0
        sign = -1 if backwards else 1
        held: list[Row] = []
        while True:
            asked = (number, since_ms, until_ms, edge_ms, n, count)
            with self._database.reading() as db:
                page = [(*row[:2], unpacked(*row[2:])) for row in db.execute(statement, asked)]
            for n, edge_ms, rows in page:  # noqa: B007  the next page goes on from there
                ready = bisect_left(held, sign * edge_ms, key=lambda row: sign * row[0])
                for row in held[:ready]:
                    yield Reading(device_id, *row)
                held = held[ready:] + [row for row in rows if since_ms <= row[0] < until_ms]
                held.sort(reverse=backwards)
            if len(page) < count:
                break
            count = min(count * 2, _PAGE_BLOCKS)
        for row in held:
            yield Reading(device_id, *row)


_PAGE: Final = (
    "SELECT n, first, readings, packed FROM block WHERE sender = ?1 AND last >= ?2"
    " AND first < ?3 AND (first, n) > (?4, ?5) ORDER BY first, n LIMIT ?6"
)
_PAGE_BACK: Final = (
    "SELECT n, last, readings, packed FROM block WHERE sender = ?1 AND last >= ?2"
    " AND first < ?3 AND (last, n) < (?4, ?5) ORDER BY last DESC, n DESC LIMIT ?6"
)


@dataclass(slots=True)
class _Head:
    """A sender's counts and newest reading, while they are put together."""

    device_id: str
    readings: int
    refusals: int
    place: tuple[int, int, int]
    received_ms: int | None
    body: bytes | None

    def activity(self) -> DeviceActivity:
        ts_ms = self.place[0] if self.readings else None
        return DeviceActivity(
            self.device_id, self.readings, ts_ms, self.received_ms, self.body, self.refusals
        )


def _heads(db: sqlite3.Connection, device_ids: Sequence[str] | None) -> dict[int, _Head]:
    """Return the heads of the senders asked for, as far as settled, by number."""
    select = (
        "SELECT number, device_id, readings, refusals,"
        " ifnull(ts, -1), ifnull(boot, -1), ifnull(seq, -1), received, body FROM sender"
    )
    if device_ids is None or len(device_ids) > _MAX_NAMES:
        rows = db.execute(select)
    else:
        rows = db.execute(
            f"{select} WHERE device_id IN ({','.join('?' * len(device_ids))})", device_ids
        )
    return {row[0]: _Head(row[1], row[2], row[3], row[4:7], row[7], row[8]) for row in rows}


def _add_waiting(db: sqlite3.Connection, heads: dict[int, _Head]) -> None:
    """Add what waits for settling to the heads."""
    latest: dict[int, tuple[int, list[int]]] = {}
    one = next(iter(heads)) if len(heads) == 1 else None
    for n, sender, last_ms, readings in db.execute(
        "SELECT n, sender, last, readings FROM recent WHERE ?1 IS NULL OR sender = ?1", (one,)
    ):
        head = heads.get(sender)
        if head is None:
            continue
        head.readings += readings
        newest_ms, numbers = latest.get(sender, (head.place[0], []))
        if last_ms > newest_ms:
            latest[sender] = (last_ms, [n])
        elif last_ms == newest_ms:
            latest[sender] = (newest_ms, [*numbers, n])
    for sender, (_, numbers) in latest.items():
        for n in numbers:
            block = db.execute("SELECT readings, packed FROM recent WHERE n = ?", (n,)).fetchone()
            row = max(unpacked(*block))
            head = heads[sender]
            if row[:3] > head.place:
                head.place, head.received_ms, head.body = row[:3], row[3], row[4]


def _waiting(
    db: sqlite3.Connection, device_id: str | None, since_ms: int, until_ms: int
) -> list[Reading]:
    """Return the readings that wait for settling, in order of arrival."""
    blocks = db.execute(
        "SELECT device_id, recent.readings, packed FROM recent"
        " CROSS JOIN sender ON sender.number = recent.sender"
        " WHERE last >= ?2 AND first < ?3 AND (?1 IS NULL"
        " OR recent.sender = (SELECT number FROM sender WHERE device_id = ?1))",
        (device_id, since_ms, until_ms),
    )
    return [
        Reading(name, *row)
        for name, readings, data in blocks
        for row in unpacked(readings, data)
        if since_ms <= row[0] < until_ms
    ]


def _senders(db: sqlite3.Connection, device_id: str | None) -> dict[str, int]:
    """Return the numbers of one sender or of all, by device id."""
    if device_id is None:
        return dict(db.execute("SELECT device_id, number FROM sender"))
    return dict(
        db.execute("SELECT device_id, number FROM sender WHERE device_id = ?", (device_id,))
    )


def _newest_senders(db: sqlite3.Connection, last: int) -> dict[str, int]:
    """Return the senders among which the so many newest settled readings are.

    The newest readings of so many senders are so many already: who has sent
    nothing since the last of these is not among them.
    """
    return dict(
        db.execute(
            "SELECT device_id, number FROM sender WHERE ts >= ifnull((SELECT ts FROM sender"
            " WHERE ts IS NOT NULL ORDER BY ts DESC LIMIT 1 OFFSET ?), 0)",
            (last - 1,),
        )
    )


def _place(reading: Reading) -> tuple[int, int, int, str]:
    """Return what readings are ordered by."""
    return (reading.ts_ms, reading.boot, reading.seq, reading.device_id)


def _once(readings: Iterable[Reading]) -> Iterator[Reading]:
    """Leave out a reading that follows itself: it was settled while it was read."""
    before = None
    for reading in readings:
        if reading != before:
            yield reading
        before = reading


def _having(readings: Iterable[Reading], metric: str) -> Iterator[Reading]:
    """Leave out readings without a metric."""
    if metric in RESERVED_MEMBERS:
        return iter(())
    quoted = quoted_name(metric)
    return (reading for reading in readings if metric_of(reading.body, metric, quoted) is not None)
