"""Roll-outs in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from seawall.errors import ConflictError
from seawall.model.event import Event
from seawall.model.release import parse_version
from seawall.model.rollout import (
    KEPT_ROLLOUTS,
    DeviceReport,
    DeviceSoftware,
    Rollout,
    RolloutChange,
    RunningReport,
    UpdateReport,
    Way,
    WayState,
    software_after,
    way_after,
    way_after_running,
)
from seawall.store.rollout_text import rollout_of, rollout_text, way_of, way_text
from seawall.store.sqlite.commands import insert_command
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.registry import insert_event

_OPEN: Final = "state IN ('running', 'paused', 'halted')"
_WAY: Final = "SELECT rollout_id, device_id, revision, facts FROM way"


class RolloutsPart:
    """Roll-outs, ways of devices, and what devices run; see `RolloutStore`."""

    _database: Database

    def add_rollout(self, rollout: Rollout, ways: Sequence[Way], event: Event) -> None:
        """Keep a new roll-out (see `RolloutStore.add_rollout`)."""
        with self._database.transaction() as db:
            _refuse_overlap(db, {way.device_id for way in ways})
            added = db.execute(
                "INSERT OR IGNORE INTO rollout (rollout_id, state, version, revision, facts)"
                " VALUES (?, ?, ?, 0, ?)",
                (rollout.rollout_id, rollout.state.value, rollout.version, rollout_text(rollout)),
            ).rowcount
            if not added:
                raise ConflictError(
                    f"roll-out {rollout.rollout_id} exists already", reference="rollout-exists"
                )
            db.executemany(
                "INSERT INTO way VALUES (?, ?, ?, ?, 0, ?)",
                [
                    (way.rollout_id, way.device_id, way.n, way.state.value, way_text(way))
                    for way in ways
                ],
            )
            _forget_old(db)
            insert_event(db, event)
            _changed(db)

    def rollout(self, rollout_id: str) -> Rollout | None:
        """Return one roll-out."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT facts, revision FROM rollout WHERE rollout_id = ?", (rollout_id,)
            ).fetchone()
        return None if row is None else rollout_of(*row)

    def rollouts(self) -> list[Rollout]:
        """Return all roll-outs that are kept, in the order in which they were started."""
        with self._database.reading() as db:
            rows = db.execute("SELECT facts, revision FROM rollout ORDER BY number").fetchall()
        return [rollout_of(*row) for row in rows]

    def ways(self, rollout_id: str) -> list[Way]:
        """Return the way of every device in a roll-out, sorted by device."""
        with self._database.reading() as db:
            rows = db.execute(
                f"{_WAY} WHERE rollout_id = ? ORDER BY device_id", (rollout_id,)
            ).fetchall()
        return [way_of(*row) for row in rows]

    def way_counts(self) -> dict[str, dict[WayState, int]]:
        """Return how many devices of each roll-out have come how far (see `RolloutStore`)."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT rollout_id, state, count(*) FROM way GROUP BY rollout_id, state"
            ).fetchall()
        counts: dict[str, dict[WayState, int]] = {}
        for rollout_id, state, count in rows:
            counts.setdefault(rollout_id, {})[WayState(state)] = count
        return counts

    def change_rollout(self, change: RolloutChange) -> None:
        """Write what changes (see `RolloutStore.change_rollout`)."""
        rollout = change.rollout
        with self._database.transaction() as db:
            written = db.execute(
                "UPDATE rollout SET state = ?, facts = ?, revision = revision + 1"
                " WHERE rollout_id = ? AND revision = ?",
                (rollout.state.value, rollout_text(rollout), rollout.rollout_id, rollout.revision),
            ).rowcount
            if not written or _write_ways(db, change.ways) != len(change.ways):
                raise ConflictError(
                    f"roll-out {rollout.rollout_id} was changed meanwhile",
                    reference="rollout-changed",
                )
            for order in change.orders:
                insert_command(db, order)
            for event in change.events:
                insert_event(db, event)
            _changed(db)

    def note_reports(self, reports: Sequence[DeviceReport]) -> int:
        """Take what devices say of their software (see `RolloutStore.note_reports`)."""
        with self._database.transaction() as db:
            news = sum(_note(db, report) for report in reports)
            if news:
                _changed(db)
        return news

    def software(self) -> list[DeviceSoftware]:
        """Return what devices run, sorted by device; those that never said are left out."""
        with self._database.reading() as db:
            rows = db.execute("SELECT * FROM software ORDER BY device_id").fetchall()
        return [_software_of(row) for row in rows]

    def rollout_revision(self) -> int:
        """Return a number that grows with every change of these, by any process."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM fact WHERE name = 'rollout-revision'").fetchone()
        return int(row[0])


def _changed(db: sqlite3.Connection) -> None:
    db.execute("UPDATE fact SET value = value + 1 WHERE name = 'rollout-revision'")


def _refuse_overlap(db: sqlite3.Connection, device_ids: set[str]) -> None:
    rows = db.execute(
        "SELECT device_id, rollout_id FROM way WHERE rollout_id IN"  # noqa: S608  fixed texts only
        f" (SELECT rollout_id FROM rollout WHERE {_OPEN}) ORDER BY device_id"
    )
    for device_id, rollout_id in rows:
        if device_id in device_ids:
            raise ConflictError(
                f"device {device_id} is in roll-out {rollout_id}, which is not over",
                reference="rollout-overlaps",
                hint=f"let it come to its end, or 'seawall rollout abort {rollout_id}'",
            )


def _forget_old(db: sqlite3.Connection) -> None:
    old = db.execute(
        f"SELECT rollout_id FROM rollout WHERE NOT {_OPEN} ORDER BY number DESC"  # noqa: S608  fixed texts only
        " LIMIT -1 OFFSET ?",
        (KEPT_ROLLOUTS,),
    ).fetchall()
    db.executemany("DELETE FROM way WHERE rollout_id = ?", old)
    db.executemany("DELETE FROM rollout WHERE rollout_id = ?", old)


def _write_ways(db: sqlite3.Connection, ways: Iterable[Way]) -> int:
    return sum(
        db.execute(
            "UPDATE way SET n = ?, state = ?, facts = ?, revision = revision + 1"
            " WHERE rollout_id = ? AND device_id = ? AND revision = ?",
            (
                way.n,
                way.state.value,
                way_text(way),
                way.rollout_id,
                way.device_id,
                way.revision,
            ),
        ).rowcount
        for way in ways
    )


def _note(db: sqlite3.Connection, report: DeviceReport) -> bool:
    if isinstance(report, RunningReport):
        return _note_running(db, report)
    return _note_update(db, report)


def _note_update(db: sqlite3.Connection, report: UpdateReport) -> bool:
    # Of the way whose newest order is this one, or the next that follows it.
    row = db.execute(
        f"{_WAY} WHERE device_id = ? AND n >= ? ORDER BY n LIMIT 1", (report.device_id, report.re)
    ).fetchone()
    if row is None:
        return False
    way = way_of(*row)
    after = way_after(way, report)
    return after != way and _write_ways(db, [after]) == 1


def _note_running(db: sqlite3.Connection, report: RunningReport) -> bool:
    row = db.execute("SELECT * FROM software WHERE device_id = ?", (report.device_id,)).fetchone()
    software = software_after(None if row is None else _software_of(row), report)
    if software is None:
        return False
    db.execute(
        "INSERT OR REPLACE INTO software VALUES (?, ?, ?, ?, ?, ?)",
        (
            software.device_id,
            software.version,
            software.slot,
            int(software.trial),
            software.boot,
            software.at_ms,
        ),
    )
    rows = db.execute(
        "SELECT way.rollout_id, way.device_id, way.revision, way.facts, rollout.version"  # noqa: S608  fixed texts only
        f" FROM way JOIN rollout USING (rollout_id) WHERE device_id = ? AND rollout.{_OPEN}",
        (report.device_id,),
    ).fetchall()
    version = parse_version(report.version)
    for *facts, wanted in rows:
        way = way_of(*facts)
        after = way_after_running(way, report, is_target=version == parse_version(wanted))
        if after != way:
            _write_ways(db, [after])
    return True


def _software_of(row: Sequence[Any]) -> DeviceSoftware:
    device_id, version, slot, trial, boot, at_ms = row
    return DeviceSoftware(device_id, version, slot, bool(trial), boot, at_ms)
