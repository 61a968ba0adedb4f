"""Readings that wait on flash until the server has stored them.

Append-only segment files of 64 records, each named by the ordinal of its first
record. A record says which ordinal was the oldest unsettled one when it was
written, so that settling writes nothing: a segment is deleted when all of it is
settled.
After a power cut whole records are left, and at most one torn one, at the end
of a segment; a start always opens a new segment.

Record: body length (u16), oldest unsettled ordinal, boot, seq (u32 each),
CRC-32 of all that and of the body (u32), body. Little endian. backlog.py reads
it.
"""

import os
from binascii import crc32
from struct import pack

from . import load


class Outbox:
    """A bounded queue of (boot, seq, body), in order; see `start.recover`.

    Attributes:
        path: Of a segment, with a place for the ordinal.
        limit: Most records; when full, the oldest gives way.
        firsts: Ordinals that begin the segments, in order.
        start: Ordinal of the oldest unsettled record; equal to ``end`` when empty.
        end: Ordinal that the next record gets.
        lost: How many records had to give way, or could not be kept.
        last: The youngest record.
        f: The file that is written.
        backlog: Reads older records, while there are some to send.
    """

    def append(self, *record):
        """Keep boot, seq and body; they survive once this returns True. False: flash refused."""
        boot, seq, body = record
        if self.end - self.start >= self.limit:
            self.lost += 1
            self.settle(self.start + 1)
        for _ in range(2):
            try:
                if not self.f or self.end - self.firsts[-1] >= 64:
                    if self.f:
                        self.f.close()
                    f = open(self.path % self.end, "wb")
                    if self.firsts[-1:] != [self.end]:  # else it held but a record that failed
                        self.firsts.append(self.end)
                    self.f = f  # not before: memory may run out above
                data = pack("<HIII", len(body), self.start, boot, seq)
                data += pack("<I", crc32(body, crc32(data))) + body
                if self.f.write(data) != len(data):
                    raise OSError(28)
                self.f.flush()
                self.last = record
                self.end += 1
                return True
            except OSError:
                load("backlog").shrink(self)
        self.lost += 1
        return False

    def read(self, ordinal):
        """Return (boot, seq, body) of an unsettled record; None if flash has lost it."""
        if ordinal == self.end - 1 and self.last:
            self.backlog = None
            return self.last
        if not self.backlog:
            self.backlog = load("backlog").Backlog()
        return self.backlog.read(self, ordinal)

    def settle(self, ordinal):
        """Forget every record before ``ordinal``."""
        self.start = max(self.start, ordinal)
        while len(self.firsts) > 1 and self.firsts[1] <= self.start:
            self.backlog = None
            os.unlink(self.path % self.firsts.pop(0))
