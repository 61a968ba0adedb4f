"""The tamper inbox in SQLite: bounded rows, counts for ever."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from seawall.model.reading import Reason, Refusal
from seawall.store.fair_share import largest_share
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.rows import write_rows


class RefusalsPart:
    """Refused messages; see `ReadingStore.refusals`."""

    _database: Database

    def refusals(
        self,
        *,
        device_id: str | None = None,
        reason: Reason | None = None,
        last: int | None = None,
        after: int = 0,
    ) -> list[tuple[int, Refusal]]:
        """Return refusals, oldest first, each with its number."""
        where, values = ["number > ?"], [after]
        if device_id is not None:
            where.append("device_id = ?")
            values.append(device_id)  # type: ignore[arg-type]
        if reason is not None:
            where.append("reason = ?")
            values.append(reason.value)  # type: ignore[arg-type]
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT number, at, reason, device_id, topic, detail, payload, payload_bytes, peer"  # noqa: S608  fixed texts only
                f" FROM refusal WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?",
                [*values, -1 if last is None else max(0, last)],
            ).fetchall()
        rows.reverse()
        return [(row[0], Refusal(row[1], Reason(row[2]), *row[3:])) for row in rows]

    def refusal_counts(self) -> dict[Reason, int]:
        """Return how many were refused, by reason; reasons without any are left out."""
        with self._database.reading() as db:
            rows = db.execute("SELECT reason, refusals FROM refusal_count").fetchall()
        return {Reason(reason): count for reason, count in rows}


def keep_refusals(
    db: sqlite3.Connection, refusals: Sequence[Refusal], max_refusals: int
) -> dict[str, int]:
    """Add refusals within a transaction, and trim those of whoever has the most.

    Returns:
        How many there were of each device that they name.
    """
    flat: list[int | str | bytes | None] = []
    for refusal in refusals:
        flat += (refusal.at_ms, refusal.reason.value)
        flat.append(None if refusal.device_id is None else _text(refusal.device_id))
        flat += (_text(refusal.topic), _text(refusal.detail))
        flat += (refusal.payload, refusal.payload_bytes, _text(refusal.peer))
    write_rows(db, "INSERT INTO refusal VALUES", "(NULL,?,?,?,?,?,?,?,?)", flat)
    db.executemany(
        "INSERT INTO refusal_count VALUES (?, ?) ON CONFLICT (reason)"
        " DO UPDATE SET refusals = refusals + excluded.refusals",
        list(Counter(refusal.reason.value for refusal in refusals).items()),
    )
    _trim(db, max_refusals)
    return Counter(refusal.device_id for refusal in refusals if refusal.device_id is not None)


def _trim(db: sqlite3.Connection, room: int) -> None:
    (kept,) = db.execute("SELECT count(*) FROM refusal").fetchone()
    if kept <= room:
        return
    counts = dict(db.execute("SELECT device_id, count(*) FROM refusal GROUP BY device_id"))
    share = largest_share(counts, room)
    if not share:  # more devices than room
        db.execute(
            "DELETE FROM refusal WHERE number IN"
            " (SELECT number FROM refusal ORDER BY number LIMIT ?)",
            (kept - room,),
        )
        return
    db.executemany(
        "DELETE FROM refusal WHERE number IN"
        " (SELECT number FROM refusal WHERE device_id IS ? ORDER BY number LIMIT ?)",
        [(owner, count - share) for owner, count in counts.items() if count > share],
    )


def _text(text: str) -> str:
    """Return text that SQLite takes: half a surrogate pair in a topic must not stop a batch."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
