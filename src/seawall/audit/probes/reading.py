"""Reads one regular file, no more of it than allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from seawall.audit.check import Unobserved


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Return the contents of a regular file. Never waits for a pipe or a device.

    Raises:
        Unobserved: it is missing, cannot be read, is no regular file, or is too big.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or "no name of a file"
        raise Unobserved(f"{path.name} cannot be read: {words}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unobserved(f"{path.name} is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            raise Unobserved(f"{path.name} cannot be read: {error.strerror}") from None
    if len(data) > max_bytes:
        raise Unobserved(f"{path.name} is larger than {max_bytes} bytes")
    return data
