"""Devices and events in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from seawall.errors import ConflictError
from seawall.model.device import Board, Device, DeviceStatus, Profile, Sensor, Trust
from seawall.model.event import Event
from seawall.store.sqlite.database import Database


class RegistryPart:
    """The registry and the log of events; see `DeviceStore` and `EventStore`."""

    _database: Database

    def put_device(self, device: Device, event: Event) -> None:
        """Add or replace a device, and log the event, in one transaction."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO device VALUES (?, ?)"
                " ON CONFLICT (device_id) DO UPDATE SET facts = excluded.facts",
                (device.device_id, _device_text(device)),
            )
            _registry_changed(db, event)

    def add_device(self, device: Device, event: Event) -> None:
        """Add a device; ConflictError if the id is taken, by a revoked one too."""
        with self._database.transaction() as db:
            added = db.execute(
                "INSERT OR IGNORE INTO device VALUES (?, ?)",
                (device.device_id, _device_text(device)),
            ).rowcount
            if not added:
                raise ConflictError(
                    f"device {device.device_id} exists already", reference="device-exists"
                )
            _registry_changed(db, event)

    def device(self, device_id: str) -> Device | None:
        """Return one device."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT facts FROM device WHERE device_id = ?", (device_id,)
            ).fetchone()
        return None if row is None else _device_of(row[0])

    def devices(self) -> list[Device]:
        """Return all devices, sorted by id."""
        with self._database.reading() as db:
            rows = db.execute("SELECT facts FROM device ORDER BY device_id").fetchall()
        return [_device_of(facts) for (facts,) in rows]

    def registry_revision(self) -> int:
        """Return a number that grows with every change of the registry, by any process."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM fact WHERE name = 'registry-revision'").fetchone()
        return int(row[0])

    def log(self, events: Iterable[Event]) -> None:
        """Append events."""
        rows = [_event_row(event) for event in events]
        if not rows:
            return
        with self._database.transaction() as db:
            db.executemany(_INSERT_EVENT, rows)

    def events(self, *, subject: str | None = None, last: int = 100) -> list[Event]:
        """Return the newest events, oldest first."""
        where, values = ("", []) if subject is None else ("WHERE subject = ?", [subject])
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT at, kind, subject, actor, detail FROM event"  # noqa: S608  fixed texts only
                f" {where} ORDER BY number DESC LIMIT ?",
                [*values, max(0, last)],
            ).fetchall()
        rows.reverse()
        return [
            Event(at, kind, subject, actor, json.loads(text))
            for at, kind, subject, actor, text in rows
        ]


_INSERT_EVENT = "INSERT INTO event (at, kind, subject, actor, detail) VALUES (?, ?, ?, ?, ?)"


def insert_event(db: sqlite3.Connection, event: Event) -> None:
    """Append an event within a transaction."""
    db.execute(_INSERT_EVENT, _event_row(event))


def _registry_changed(db: sqlite3.Connection, event: Event) -> None:
    db.execute("UPDATE fact SET value = value + 1 WHERE name = 'registry-revision'")
    insert_event(db, event)


def _event_row(event: Event) -> tuple[int, str, str, str, str]:
    return (event.at_ms, event.kind, event.subject, event.actor, json.dumps(event.detail))


def _device_text(device: Device) -> str:
    facts = asdict(device)
    facts["sensors"] = [[sensor.kind, sensor.pin] for sensor in device.sensors]
    return json.dumps(facts)


def _device_of(text: str) -> Device:
    facts: dict[str, Any] = json.loads(text)
    facts["board"] = Board(facts["board"])
    facts["status"] = DeviceStatus(facts["status"])
    facts["profile"] = Profile(facts["profile"])
    facts["trust"] = Trust(facts["trust"])
    facts["sensors"] = tuple(Sensor(kind, pin) for kind, pin in facts["sensors"])
    return Device(**facts)
