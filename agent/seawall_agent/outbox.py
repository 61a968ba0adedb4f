"""Readings that wait on flash until the server has stored them.

Append-only segment files, each named by the ordinal of its first record. A
record says which ordinal was the oldest unsettled one when it was written, so
that settling writes nothing: a segment is deleted when all of it is settled.
After a power cut whole records are left, and at most one torn one, at the end
of a segment; a start always opens a new segment.

Record: body length (u16), oldest unsettled ordinal, boot, seq (u32 each),
CRC-32 of all that and of the body (u32), body. Little endian.
"""

import os
import struct
from binascii import crc32
from micropython import const

_HEAD = const("<HIII")
_HEAD_BYTES = const(14)
_SEGMENT_RECORDS = const(64)


class Outbox:
    """A bounded queue of (boot, seq, body), in order.

    Attributes:
        head: Ordinal that the next record gets.
        tail: Ordinal of the oldest unsettled record; equal to ``head`` when empty.
        dropped: How many records had to give way to younger ones, or could not be kept.
    """

    def __init__(self, folder, capacity, sync=True):
        self._folder = folder + "/"
        self._capacity = capacity
        self._sync = sync
        self._writer = self._reader = self._last = None
        self._at = 0  # ordinal that the reader stands before
        self.head = self.tail = self.dropped = 0
        self._firsts = sorted(int(name, 16) for name in os.listdir(folder))
        self._recover()

    def _recover(self):
        head = None
        for first in reversed(self._firsts[:]):
            tail = None
            with self._open(first, "rb") as f:
                at = first
                while (record := _read(f)) is not None:
                    tail = record[0]
                    at += 1
            if tail is None:
                self._unlink(first)
            if head is None or head < at:
                head = at
            if tail is not None:
                self.tail = max(tail, self._firsts[0])
                break
        if head is not None:
            self.head = head
            if not self._firsts:
                self.tail = head
        self._prune()

    def _open(self, first, mode):
        return open("%s%08x" % (self._folder, first), mode)

    def _unlink(self, first):
        self._firsts.remove(first)
        os.unlink("%s%08x" % (self._folder, first))

    def append(self, boot, seq, body):
        """Keep a record; it survives once this returns True.

        When full, the oldest record gives way. False if flash refused it even
        after that.
        """
        if self.head - self.tail >= self._capacity:
            self._drop(1)
        for attempt in range(2):
            try:
                self._write(boot, seq, body)
            except OSError:
                # Flash is full, or worse: give up the oldest segment and try once more.
                self._close_writer()
                if attempt == 0 and len(self._firsts) > 1:
                    self._drop(self._firsts[1] - self.tail)
                continue
            self._last = self.head, boot, seq, body
            self.head += 1
            return True
        self.dropped += 1
        return False

    def _write(self, boot, seq, body):
        if self._writer is not None and self.head - self._firsts[-1] >= _SEGMENT_RECORDS:
            self._close_writer()
        if self._writer is None:
            if self._firsts and self._firsts[-1] == self.head:
                self._unlink(self.head)  # holds nothing but a record that failed
            self._writer = self._open(self.head, "wb")
            self._firsts.append(self.head)
        head = struct.pack(_HEAD, len(body), self.tail, boot, seq)
        data = head + struct.pack("<I", crc32(body, crc32(head))) + body
        if self._writer.write(data) != len(data):
            raise OSError(28)
        if self._sync:
            self._writer.flush()

    def _close_writer(self):
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except OSError:
                pass

    def _drop(self, count):
        self.dropped += count
        self.settle(self.tail + count)

    def read(self, ordinal):
        """Return (boot, seq, body) of an unsettled record; None if flash has lost it."""
        if self._last and self._last[0] == ordinal:
            return self._last[1:]
        for _ in range(2):
            if self._reader is None or self._at != ordinal or ordinal in self._firsts:
                self._seek(ordinal)
            while self._reader is not None:
                record = _read(self._reader)
                if record is None:
                    self._close_reader()  # it may have been opened before the record was there
                    break
                self._at += 1
                if self._at > ordinal:
                    return record[1:]
        return None

    def _seek(self, ordinal):
        self._close_reader()
        for first in reversed(self._firsts):
            if first <= ordinal:
                try:
                    self._reader = self._open(first, "rb")
                    self._at = first
                except OSError:
                    pass
                return

    def _close_reader(self):
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def settle(self, ordinal):
        """Forget every record before ``ordinal``."""
        if ordinal > self.tail:
            self.tail = ordinal
            self._prune()

    def _prune(self):
        while len(self._firsts) > 1 and self._firsts[1] <= self.tail:
            self._close_reader()
            self._unlink(self._firsts[0])

    def close(self):
        """Close the files."""
        self._close_reader()
        self._close_writer()


def _read(f):
    head = f.read(_HEAD_BYTES)
    crc = f.read(4)
    if len(crc) != 4:
        return None
    length, tail, boot, seq = struct.unpack(_HEAD, head)
    body = f.read(length)
    if len(body) != length or crc32(body, crc32(head)) != struct.unpack("<I", crc)[0]:
        return None
    return tail, boot, seq, body
