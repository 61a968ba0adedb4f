"""The embedded store: one SQLite file, plain rows."""

from __future__ import annotations

from pathlib import Path

from seawall.store.contract import Store
from seawall.store.sqlite.store import SqliteStore

__all__ = ["open_sqlite_store"]


def open_sqlite_store(
    path: Path | str,
    *,
    max_refusals: int = 10_000,
    create: bool = False,
    read_only: bool = False,
) -> Store:
    """Open the store in a file; several processes may do so at once.

    Args:
        path: The database file, such as ``STATE/seawall.db``.
        max_refusals: So many refusals are kept; the oldest of whoever has most go first.
        create: Make the file if it is not there; its folder must be.
        read_only: Change nothing, not even the file's mode; what would write fails.

    Raises:
        StoreError: if it cannot be opened, is not ours, or is from a newer version.
    """
    return SqliteStore(Path(path), max_refusals=max_refusals, create=create, read_only=read_only)
