"""A line on the terminal that says how far the audit is; nothing where nobody watches."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from seawall.audit.report.visible import visible_line
from seawall.audit.running import Progress

_CLEAR: Final = "\r\x1b[K"
_NAME_CHARS: Final = 40
_EVERY_S: Final = 0.1


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Give something that shows progress on standard error, if that is a terminal."""
    stream = sys.stderr
    if not stream.isatty():
        yield lambda *_: None
        return
    lock = threading.Lock()
    counts: dict[str, tuple[int, int]] = {}
    next_at = 0.0

    def show(name: str, done: int, total: int) -> None:
        nonlocal next_at
        with lock:
            counts[name] = (done, total)
            if time.monotonic() < next_at:
                return
            next_at = time.monotonic() + _EVERY_S
            all_done = sum(each for each, _ in counts.values())
            of = sum(each for _, each in counts.values())
            shown = visible_line(name, _NAME_CHARS)
            stream.write(f"{_CLEAR}auditing {shown}: {all_done} of {of} checks")
            stream.flush()

    try:
        yield show
    finally:
        with lock:
            stream.write(_CLEAR)
            stream.flush()
