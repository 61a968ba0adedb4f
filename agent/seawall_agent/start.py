"""Finds the readings that wait on flash, at a start."""

import os

from . import load
from .outbox import Outbox


def recover(folder, limit):
    """Return the Outbox over the segments in a folder, however the last run ended."""
    record_of = load("backlog").record_of
    outbox = Outbox()
    outbox.path = folder + "%08x"
    outbox.limit = limit
    # FAT knows no folder by a name that ends with "/".
    outbox.firsts = firsts = sorted(int(name, 16) for name in os.listdir(folder[:-1]))
    outbox.lost = outbox.boot = 0
    outbox.last = outbox.f = outbox.backlog = None
    end = start = 0
    for first in reversed(firsts[:]):
        oldest = None
        at = first
        with open(outbox.path % first, "rb") as f:
            while record := record_of(f):
                oldest, outbox.boot = record[:2]
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
