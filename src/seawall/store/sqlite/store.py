"""The SQLite driver put together."""

from __future__ import annotations

from pathlib import Path

from seawall.store.sqlite.appending import Appender
from seawall.store.sqlite.commands import CommandsPart
from seawall.store.sqlite.database import Database
from seawall.store.sqlite.readings import ReadingsPart
from seawall.store.sqlite.refusals import RefusalsPart
from seawall.store.sqlite.registry import RegistryPart
from seawall.store.sqlite.rollouts import RolloutsPart
from seawall.store.sqlite.users import UsersPart


class SqliteStore(ReadingsPart, RefusalsPart, RegistryPart, UsersPart, CommandsPart, RolloutsPart):
    """A `Store` in one SQLite file.

    Args:
        path: The file.
        max_refusals: So many refusals are kept.
        create: Make the file if it is not there.
        settle_rows: Sort readings into their place when so many wait; None: by load.
        read_only: Change nothing; what would write fails.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_refusals: int,
        create: bool,
        settle_rows: int | None = None,
        read_only: bool = False,
    ) -> None:
        self._database = Database(path, create=create, read_only=read_only)
        self._appender = Appender(self._database, max_refusals, settle_rows)

    def settle(self) -> None:
        """Sort the readings that wait into their place now (`append` does so by itself)."""
        self._appender.settle()

    def check(self) -> None:
        """Raise StoreError unless the store can be read and written now."""
        with self._database.transaction() as db:
            # A real write and a real commit: only they meet a full or read-only disk.
            db.execute("UPDATE fact SET value = value + 1 WHERE name = 'checked'")

    def close(self) -> None:
        """Release everything; further calls raise StoreError."""
        self._database.close()
