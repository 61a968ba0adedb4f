"""Who gives way when a bounded log is full: whoever fills it. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def largest_share(counts: Mapping[str | None, int], room: int) -> int:
    """Return how many entries each owner may keep, so that all of them fit.

    Owners with fewer keep all they have. One that floods the log so pushes out
    its own entries, and not the evidence of others.

    Args:
        counts: Entries of each owner.
        room: Entries that may be kept in all.

    Returns:
        The largest share that fits; 0 if not every owner can keep one.
    """
    share, left, owners = 0, room, len(counts)
    for count in sorted(counts.values()):
        if (count - share) * owners > left:
            return share + left // owners
        left -= (count - share) * owners
        share = count
        owners -= 1
    return share
