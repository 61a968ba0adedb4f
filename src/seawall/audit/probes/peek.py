"""A first look at a path: is it a folder, what is in it, how does a file begin."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

HEAD_BYTES: Final = 64 << 10
MAX_NAMES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Glance:
    """What is seen of a path at once.

    Attributes:
        names: Of a folder: names in it, at most 2,000; None for a file.
        head: Of a file: its first 64 KiB.
    """

    names: frozenset[str] | None = None
    head: bytes = b""


def glance(path: Path) -> Glance:
    """Look at a file or folder; never waits for a pipe or a device.

    Raises:
        OSError: it is not there, cannot be read, or is neither file nor folder.
    """
    # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                seen = frozenset(entry.name for entry in islice(entries, MAX_NAMES))
            # A folder of a million files lists its own last as likely as first.
            marks = (each for each in ("seawall.toml", "seawall.db") if (path / each).exists())
            return Glance(seen | set(marks))
        if not stat.S_ISREG(mode):
            raise OSError(0, "neither a file nor a folder")
        return Glance(head=os.read(descriptor, HEAD_BYTES))
    finally:
        os.close(descriptor)
