"""Many rows by few statements.

One ``INSERT`` of 500 rows takes a third less than 500 by ``executemany``. And
sqlite3 lets the interpreter's lock go at every step: beside a busy thread each
step may wait 5 ms to get it back (`sys.getswitchinterval`), so the number of
steps decides how long a commit takes in a daemon at work.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from typing import Final

_SIZES: Final = (500, 256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows a statement; few sizes, so that all of them stay prepared."""


def write_rows(
    db: sqlite3.Connection,
    head: str,
    row: str,
    flat: Sequence[int | str | bytes | None],
    tail: str = "",
) -> None:
    """Run a statement over rows whose values stand one after the other.

    Args:
        db: Within a transaction.
        head: ``INSERT INTO t VALUES``, or whatever takes ``VALUES``.
        row: ``(?, ?, ...)``.
        flat: The values, row after row.
        tail: What follows them, if anything.
    """
    start, end = 0, len(flat)
    for width, statement in _statements(head, row, tail):
        while end - start >= width:
            db.execute(statement, flat[start : start + width])
            start += width


@cache
def _statements(head: str, row: str, tail: str) -> tuple[tuple[int, str], ...]:
    """Return the statements, largest first, each with the number of its values."""
    columns = row.count("?")
    return tuple(
        (size * columns, f"{head} {row}{f',{row}' * (size - 1)} {tail}") for size in _SIZES
    )
