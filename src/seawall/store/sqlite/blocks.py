"""Readings of one sender in one value.

A row for each reading costs 0.6 CPU microseconds when it is appended and 0.8 to
1.8 when it is settled. So what one sender has in a batch is one row, a *block*:
MessagePack arrays (ts, boot, seq, received, body), sorted by time, one after the
other and without a header, so that blocks are joined by joining their bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

MOST_READINGS: Final = 128
MOST_BYTES: Final = 65_536
"""Blocks are not made larger than this, unless by a single reading: they are read in whole."""
MOST_SPAN_MS: Final = 86_400_000
"""First and last of a block are no further apart, so that a time is found by either."""

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[tuple[int, int, int, int, bytes]]).decode

Row = tuple[int, int, int, int, bytes]
"""ts_ms, boot, seq, received_ms, body."""


Block = tuple[int, int, int, bytes]
"""Time of the earliest, time of the latest, how many readings, and they themselves. Plain
tuples: the garbage collector soon lets go of them, and a hundred thousand may wait."""


class DamagedBlockError(sqlite3.DatabaseError):
    """A block cannot be read; told like the damage that SQLite finds itself."""

    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def packed(rows: list[Row]) -> list[Block]:
    """Return readings of one sender as blocks, in order of time.

    Args:
        rows: At least one; they are sorted by it.
    """
    count = len(rows)
    if count == 1:
        row = rows[0]
        return [(row[0], row[0], 1, _pack(row))]
    rows.sort()
    first_ms, last_ms = rows[0][0], rows[-1][0]
    if count <= MOST_READINGS and last_ms - first_ms <= MOST_SPAN_MS:
        data = _pack(rows)[_header_bytes(count) :]
        if len(data) <= MOST_BYTES:
            return [(first_ms, last_ms, count, data)]
    half = count // 2
    return packed(rows[:half]) + packed(rows[half:])


def unpacked(readings: int, data: bytes) -> list[Row]:
    """Return the readings of a block; those of a joined one are not sorted.

    Raises:
        DamagedBlockError: if it does not hold so many.
    """
    try:
        return _unpack(b"\xdd" + readings.to_bytes(4, "big") + data)
    except (msgspec.DecodeError, OverflowError) as error:
        raise DamagedBlockError(f"a block of {readings} readings: {error}") from None


def joined(blocks: Sequence[Block]) -> list[Block]:
    """Return the same readings in few blocks, without looking into them."""
    if len(blocks) == 1:
        return [*blocks]
    firsts, lasts, counts, parts = zip(*blocks, strict=True)
    first_ms, last_ms, count = min(firsts), max(lasts), sum(counts)
    if count <= MOST_READINGS and last_ms - first_ms <= MOST_SPAN_MS:
        data = b"".join(parts)
        if len(data) <= MOST_BYTES:
            return [(first_ms, last_ms, count, data)]
    half = len(blocks) // 2
    return joined(blocks[:half]) + joined(blocks[half:])


def newest(blocks: Sequence[Block]) -> Row:
    """Return the newest reading of some blocks, by time, boot and seq."""
    latest_ms = max([last_ms for _, last_ms, _, _ in blocks])
    latest = [unpacked(count, data) for _, last_ms, count, data in blocks if last_ms == latest_ms]
    return max(map(max, latest))


class RowsToBlock:
    """SQL's aggregate ``block_of(ts, boot, seq, received, body)``, for the schema's steps."""

    def __init__(self) -> None:
        self._rows: list[Row] = []

    def step(self, ts_ms: int, boot: int, seq: int, received_ms: int, body: bytes, /) -> None:
        """Take a reading."""
        self._rows.append((ts_ms, boot, seq, received_ms, body))

    def finalize(self) -> bytes:
        """Return them packed."""
        return _pack(sorted(self._rows))[_header_bytes(len(self._rows)) :]


def _header_bytes(count: int) -> int:
    """Return how long the header of an array is (MessagePack, "array format family")."""
    if count < 16:
        return 1
    return 3 if count < 65_536 else 5
