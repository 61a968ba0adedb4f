"""The seldom needed side of the outbox: to read from flash, and to make room."""

from binascii import crc32
from struct import unpack


def record_of(f):
    """Read a record: (oldest unsettled ordinal, boot, seq, body), or None if none is whole."""
    head = f.read(18)
    if len(head) == 18:
        size, tail, boot, seq, crc = unpack("<HIIII", head)
        if size > 1024:  # torn: no reading is so long, and memory may not be
            return None
        body = f.read(size)
        if len(body) == size and crc32(body, crc32(head[:14])) == crc:
            return tail, boot, seq, body
    return None


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
                for first in outbox.firsts:
                    if first <= ordinal:
                        self.at = first
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
