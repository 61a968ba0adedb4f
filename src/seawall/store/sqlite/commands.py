"""The queue of commands in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from seawall.errors import ConflictError
from seawall.model.command import KEPT_COMMANDS, CommandAnswer, CommandState, QueuedCommand
from seawall.model.event import Event
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.registry import insert_event

_OPEN: Final = "state IN ('queued', 'sent')"  # as the index says it


class CommandsPart:
    """What was ordered, and what became of it; see `CommandStore`."""

    _database: Database

    def last_command_number(self, device_id: str) -> int:
        """Return the greatest number of a command that this device was ever given; 0 for none."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT number FROM command_number WHERE device_id = ?", (device_id,)
            ).fetchone()
        return 0 if row is None else int(row[0])

    def add_command(self, command: QueuedCommand, event: Event) -> None:
        """Queue a command and log the event (see `CommandStore.add_command`)."""
        with self._database.transaction() as db:
            insert_command(db, command)
            insert_event(db, event)

    def commands(
        self, *, device_id: str | None = None, only_open: bool = False, last: int | None = None
    ) -> list[QueuedCommand]:
        """Return commands sorted by device and number; with ``last``, the newest by time."""
        conditions, values = ["1"], []
        if device_id is not None:
            conditions.append("device_id = ?")
            values.append(device_id)
        if only_open:
            conditions.append(_OPEN)
        query = f"SELECT * FROM command WHERE {' AND '.join(conditions)}"  # noqa: S608  fixed texts only
        limit = -1 if last is None else max(0, last)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT * FROM ({query} ORDER BY at DESC, n DESC, device_id DESC LIMIT ?)"  # noqa: S608  fixed texts only
                " ORDER BY device_id, n",
                [*values, limit],
            ).fetchall()
        return [_command_of(row) for row in rows]

    def note_commands_sent(self, commands: Sequence[tuple[str, int]]) -> None:
        """Note that the broker has these; what is closed stays closed."""
        with self._database.transaction() as db:
            changed = db.executemany(
                "UPDATE command SET state = 'sent'"
                " WHERE device_id = ? AND n = ? AND state = 'queued'",
                commands,
            ).rowcount
            if changed > 0:
                _queue_changed(db)

    def answer_commands(self, answers: Sequence[CommandAnswer]) -> int:
        """Note what devices answered (see `CommandStore.answer_commands`)."""
        answered = 0
        with self._database.transaction() as db:
            for answer in answers:
                is_news = db.execute(
                    "UPDATE command SET state = 'answered', payload = x'', answered = ?,"
                    " answer = ? WHERE device_id = ? AND n = ? AND state <> 'answered'",
                    (answer.at_ms, answer.text, answer.device_id, answer.n),
                ).rowcount
                if is_news:
                    db.execute(
                        "UPDATE command SET state = 'superseded', payload = x''"  # noqa: S608  fixed texts only
                        f" WHERE device_id = ? AND n < ? AND {_OPEN}",
                        (answer.device_id, answer.n),
                    )
                    answered += 1
            if answered:
                _queue_changed(db)
        return answered

    def expire_commands(self, before_ms: int) -> int:
        """Give up open commands that were ordered before this time; return how many."""
        with self._database.transaction() as db:
            expired = db.execute(
                f"UPDATE command SET state = 'expired', payload = x'' WHERE {_OPEN} AND at < ?",  # noqa: S608  fixed texts only
                (before_ms,),
            ).rowcount
            if expired:
                _queue_changed(db)
        return expired

    def command_revision(self) -> int:
        """Return a number that grows with every change of the queue, by any process."""
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM fact WHERE name = 'command-revision'").fetchone()
        return int(row[0])


def insert_command(db: sqlite3.Connection, command: QueuedCommand) -> None:
    """Queue a command within a transaction.

    Raises:
        ConflictError: its number is not greater than every one before.
    """
    is_next = db.execute(
        "INSERT INTO command_number VALUES (?, ?) ON CONFLICT (device_id)"
        " DO UPDATE SET number = excluded.number WHERE number < excluded.number",
        (command.device_id, command.n),
    ).rowcount
    if not is_next:
        raise ConflictError(
            f"device {command.device_id} has a command of number {command.n} or later",
            reference="command-number-taken",
        )
    db.execute("INSERT INTO command VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row_of(command))
    db.execute(
        f"DELETE FROM command WHERE device_id = ?1 AND NOT {_OPEN} AND n <= (SELECT n"  # noqa: S608  fixed texts only
        " FROM command WHERE device_id = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
        (command.device_id, KEPT_COMMANDS),
    )
    _queue_changed(db)


def _queue_changed(db: sqlite3.Connection) -> None:
    db.execute("UPDATE fact SET value = value + 1 WHERE name = 'command-revision'")


def _row_of(command: QueuedCommand) -> tuple[object, ...]:
    return (
        command.device_id,
        command.n,
        command.name,
        command.payload,
        command.at_ms,
        command.actor,
        command.interval_ms,
        command.state.value,
        command.answered_ms,
        command.answer,
    )


def _command_of(row: Sequence[Any]) -> QueuedCommand:
    device_id, n, name, payload, at_ms, actor, interval_ms, state, answered_ms, answer = row
    return QueuedCommand(
        device_id,
        n,
        name,
        payload,
        at_ms,
        actor,
        interval_ms,
        CommandState(state),
        answered_ms,
        answer,
    )
