"""The seldom needed side of the outbox: to open it, to read from flash, to make room."""

import os
from binascii import crc32
from struct import unpack

from .outbox import Outbox


def record_of(f):
    """Read a record: (oldest unsettled ordinal, boot, seq, body), or None if none is whole."""
    head = f.read(18)
    if len(head) == 18:
        size, tail, boot, seq, crc = unpack("<HIIII", head)
        body = f.read(size)
        if len(body) == size and crc32(body, crc32(head[:14])) == crc:
            return tail, boot, seq, body
    return None


def start(folder, limit):
    """Return the Outbox over the segments in a folder, however the last run ended."""
    outbox = Outbox()
    outbox.path = folder + "%08x"
    outbox.limit = limit
    outbox.firsts = firsts = sorted(int(name, 16) for name in os.listdir(folder))
    outbox.lost = 0
    outbox.last = outbox.f = outbox.backlog = None
    end = start = 0
    for first in reversed(firsts[:]):
        oldest = None
        at = first
        with open(outbox.path % first, "rb") as f:
            while record := record_of(f):
                oldest = record[0]
                at += 1
        end = max(end, at)
        if oldest is not None:
            start = max(oldest, firsts[0])
            break
        os.unlink(outbox.path % first)  # it has no whole record
        firsts.remove(first)
    else:
        start = end
    outbox.end = end
    outbox.start = 0
    outbox.settle(start)
    return outbox


class Backlog:
    """Reads records in order.

    Attributes:
        f: The segment that is being read.
        at: Ordinal that it stands before.
    """

    f = at = None

    def read(self, outbox, ordinal):
        """Return (boot, seq, body), or None if flash has lost it."""
        for attempt in range(2):
            if attempt or self.at != ordinal or ordinal in outbox.firsts:
                # Also when it has met its end: the file may be older than the record.
                if self.f:
                    self.f.close()
                self.at = max(first for first in outbox.firsts if first <= ordinal)
                self.f = open(outbox.path % self.at, "rb")
            while record := record_of(self.f):
                self.at += 1
                if self.at > ordinal:
                    return record[1:]
        return None


def shrink(outbox):
    """After a failed write: begin a new segment next time, and give up the oldest one."""
    f, outbox.f = outbox.f, None
    try:
        if f:
            f.close()
    except OSError:
        pass
    if len(outbox.firsts) > 1:
        outbox.lost += outbox.firsts[1] - outbox.start
        outbox.settle(outbox.firsts[1])
