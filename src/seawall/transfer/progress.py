"""Says how far a long run is: lines every three seconds, or a bar on a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

LINE_PERIOD_S: Final = 3.0
BAR_PERIOD_S: Final = 0.25
CELLS: Final = 24
UNITS: Final = ("B", "KB", "MB", "GB")


def shown_bytes(count: int) -> str:
    """Return a number of bytes with three digits and a unit."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    if unit == 0:
        return f"{count}B"
    digits = 2 if amount < 10 else 1 if amount < 100 else 0
    return f"{amount:.{digits}f}{UNITS[unit]}"


def bar_line(
    name: str, done: int, total: int | None, shown: Callable[[int], str] = shown_bytes
) -> str:
    """Return the progress line of the original.

    Args:
        name: Of the collection.
        done: So far: bytes, or whatever ``shown`` writes.
        total: In all; None or 0 if nobody knows.
        shown: Writes such a number.
    """
    if not total:
        return f"{name}\t{shown(done)}"
    share = min(done / total, 1.0)
    filled = int(share * CELLS)
    bar = "#" * filled + "." * (CELLS - filled)
    return f"[{bar}] {name}\t{shown(done)}/{shown(total)} ({share * 100:.1f}%)"


def _terminal_line(name: str, done: int, total: int | None, rows: int, elapsed_s: float) -> str:
    rate = rows / elapsed_s if elapsed_s > 0 else 0
    line = bar_line(name, done, total) + f"  {rate:,.0f} rows/s"
    if total and done:
        left_s = max(0.0, (total - done) * elapsed_s / done)
        line += f"  {int(left_s // 60)}:{int(left_s % 60):02d} left"
    return line


class Progress:
    """Prints while work goes on in another thread.

    Args:
        name: Of the collection.
        done: Returns the bytes read so far.
        total: Bytes in all; None if nobody knows.
        rows: Returns the documents written so far.
        log: Prints a line of the log.
        draw: Prints over the current line of a terminal; None if there is none.
    """

    def __init__(
        self,
        name: str,
        done: Callable[[], int],
        total: int | None,
        rows: Callable[[], int],
        log: Callable[[str], None],
        draw: Callable[[str], None] | None,
    ) -> None:
        self._name, self._done, self._total, self._rows = name, done, total, rows
        self._log, self._draw = log, draw
        self._ended = threading.Event()
        self._printed = False
        self._started = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Progress:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._printed and self._draw is not None:
            self._draw("")
        if self._printed:
            self._log(bar_line(self._name, self._done(), self._total))

    def _run(self) -> None:
        period = LINE_PERIOD_S if self._draw is None else BAR_PERIOD_S
        while not self._ended.wait(period):
            self._printed = True
            if self._draw is None:
                self._log(bar_line(self._name, self._done(), self._total))
                continue
            elapsed = time.monotonic() - self._started
            rows = self._rows()
            self._draw(_terminal_line(self._name, self._done(), self._total, rows, elapsed))
