"""Log lines and help in the manner of the MongoDB tools."""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Sequence
from typing import IO, Final

from seawall.cli.flags import VERBOSITY, Flag

CLEAR_LINE: Final = "\r\x1b[K"
WIDTH: Final = 100
COLUMN: Final = 46


class ToolLog:
    """Lines on standard error: local time, a tab, the text.

    Args:
        stream: Where they go.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._verbosity = 0
        self._quiet = False
        self._drawn = False
        self._lock = threading.Lock()

    def configure(self, verbosity: int, quiet: bool) -> None:
        """Take over what the command line says."""
        self._verbosity, self._quiet = verbosity, quiet

    @property
    def draws(self) -> bool:
        """Whether a line can be drawn over: a terminal, and nobody wants it quiet."""
        return not self._quiet and self._stream.isatty()

    def line(self, text: str, verbosity: int = 0) -> None:
        """Print a line, if it is not too detailed."""
        if self._quiet or verbosity > self._verbosity:
            return
        with self._lock:
            clear = CLEAR_LINE if self._drawn else ""
            self._drawn = False
            self._write(f"{clear}{timestamp()}\t{text}\n")

    def draw(self, text: str) -> None:
        """Draw over the current line of the terminal."""
        with self._lock:
            self._drawn = bool(text)
            self._write(CLEAR_LINE + text)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
            self._stream.flush()
        except BrokenPipeError:
            self._quiet = True


def timestamp() -> str:
    """Return the local time as 2006-01-02T15:04:05.000-0700."""
    now = time.time()
    local = time.localtime(now)
    milliseconds = int(now * 1000) % 1000
    zone = time.strftime("%z", local)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', local)}.{milliseconds:03d}{zone}"


def help_text(usage: str, flags: Sequence[Flag]) -> str:
    """Return the help: usage, then the flags that are not hidden, by group."""
    parts = [usage]
    groups = list(dict.fromkeys(flag.group for flag in flags if flag.group))
    for group in groups:
        parts.append(f"\n{group} options:\n")
        parts += [_described(flag) for flag in flags if flag.group == group]
    return "".join(parts)


def _described(flag: Flag) -> str:
    short = f"-{flag.short}, " if flag.short else "    "
    glue = "" if flag.kind == VERBOSITY or flag.value.startswith("[") else "="
    head = f"  {short}--{flag.name}{glue if flag.value else ''}{flag.value}"
    lines = textwrap.wrap(flag.help, WIDTH - COLUMN) or [""]
    if len(head) >= COLUMN:
        lines.insert(0, "")
    first = f"{head:<{COLUMN}}{lines[0]}".rstrip()
    return "\n".join([first, *(" " * COLUMN + line for line in lines[1:])]) + "\n"
