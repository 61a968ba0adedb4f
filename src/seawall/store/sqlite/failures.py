"""SQLite's failures, told as errors that a person can act on."""

from __future__ import annotations

import os
import resource
import sqlite3
from pathlib import Path
from typing import Final

from seawall.errors import StoreError, StoreFullError

_LITTLE_ROOM_BYTES: Final = 1 << 20

_CORRUPT: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_UNREACHABLE: Final = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
)


def told(error: Exception, path: Path) -> StoreError:
    """Return the StoreError that says what happened to which file.

    Args:
        error: What sqlite3 or the operating system raised.
        path: The database file.
    """
    if isinstance(error, OSError) and not isinstance(error, sqlite3.Error):
        return _told_os(error, path)
    extended = getattr(error, "sqlite_errorcode", 0) or 0
    code = extended & 0xFF
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _has_little_room(path)):
        return _full(path, str(error))
    if code in _CORRUPT:
        return StoreError(
            f"database {path} is damaged or is no database: {error}",
            reference="store-corrupt",
            hint="stop every seawall that uses it, keep a copy of the file with its -wal, and "
            "restore a backup; 'sqlite3 FILE .recover' saves what can be read",
        )
    if code in _UNREACHABLE:
        return StoreError(
            f"cannot open or write database {path}: {error}",
            reference="store-unwritable",
            hint="its folder must be writable by this user too: SQLite keeps -wal and -shm there",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(
            f"database {path} stayed locked by another process: {error}",
            reference="store-busy",
            hint="try again; if it goes on, find the process that holds it ('fuser FILE')",
        )
    return StoreError(f"database {path}: {error}", hint="see the log of the system for disk errors")


def _told_os(error: OSError, path: Path) -> StoreError:
    if error.errno is not None and os.strerror(error.errno) in _FULL_WORDS:
        return _full(path, error.strerror or str(error))
    return StoreError(
        f"cannot open or write database {path}: {error.strerror or error}",
        reference="store-unwritable",
        hint="check the path and its permissions",
    )


_FULL_WORDS: Final = frozenset(os.strerror(n) for n in (28, 27, 122))  # ENOSPC, EFBIG, EDQUOT


def _full(path: Path, words: str) -> StoreFullError:
    return StoreFullError(
        f"no room left to write database {path}: {words}",
        hint="free space on this disk, or raise the quota; nothing that was stored is lost",
    )


def _has_little_room(path: Path) -> bool:
    """Tell whether an I/O error is a full disk in fact.

    SQLite reports only ENOSPC of a write as full. A limit of file size (EFBIG)
    and a disk too full for the shared memory file come as I/O errors.
    """
    try:
        room = os.statvfs(path.parent)
        free_bytes = room.f_bavail * room.f_frsize
        limit_bytes, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        if limit_bytes != resource.RLIM_INFINITY:
            files = (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))
            largest = max(file.stat().st_size for file in files if file.exists())
            free_bytes = min(free_bytes, limit_bytes - largest)
    except (OSError, ValueError):
        return False
    return free_bytes < _LITTLE_ROOM_BYTES
