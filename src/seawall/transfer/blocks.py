"""What readers hand to inserters: many BSON documents in one piece of memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bson

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Block:
    """Documents one behind the other.

    Args:
        data: The documents.
        ends: Offset behind each document, ascending; the first begins at 0.
    """

    data: Buffer
    ends: Sequence[int]

    def __len__(self) -> int:
        """Return the number of documents."""
        return len(self.ends)

    def raw(self) -> Iterator[bytes]:
        """Yield each document as BSON."""
        start = 0
        for end in self.ends:
            yield bytes(self.data[start:end])
            start = end

    def decoded(self) -> list[dict[str, Any]]:
        """Return each document as a dictionary (its last value where keys are twice)."""
        return bson.decode_all(bytes(self.data))


def block_of(documents: Sequence[bytes]) -> Block:
    """Return documents as one block."""
    ends, end = [], 0
    for each in documents:
        end += len(each)
        ends.append(end)
    return Block(b"".join(documents), ends)


class ObjectIds:
    """Makes object ids: seconds, five random bytes, a counter (bsonspec.org, ObjectId).

    Args:
        now_s: Seconds since 1970.
        unique: Five bytes that no other process has.
        counter: Where to begin, 24 bits.
    """

    def __init__(self, now_s: int, unique: bytes, counter: int) -> None:
        self._head = struct.pack(">I", now_s & 0xFFFFFFFF) + unique
        self._counter = counter & 0xFFFFFF

    @property
    def head(self) -> bytes:
        """The nine bytes that all of them begin with."""
        return self._head

    def next(self) -> bytes:
        """Return a new one, twelve bytes."""
        return self._head + self.reserve(1).to_bytes(3, "big")

    def reserve(self, count: int) -> int:
        """Return the first of ``count`` consecutive counters, which wrap at 24 bits."""
        first = self._counter
        self._counter = (first + count) & 0xFFFFFF
        return first
