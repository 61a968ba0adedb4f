"""Log lines that people read, or JSON lines for machines."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Final, Literal, TextIO

LogFormat = Literal["text", "json"]

_COLORS: Final = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31;1"}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _facts_of(record: logging.LogRecord) -> dict[str, object]:
    """Return what was passed as ``extra``."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


class TextFormatter(logging.Formatter):
    """``21:06:56 mqtt     greenhouse-1 connected``, coloured on a terminal."""

    def __init__(self, *, color: bool) -> None:
        super().__init__()
        self._color = color

    def format(self, record: logging.LogRecord) -> str:
        """Return one line (more with a traceback)."""
        part = record.name.removeprefix("seawall.").split(".")[0]
        text = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {part:<8} "
        if record.levelno >= logging.WARNING:
            text += f"{record.levelname.lower()}: "
        text += record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        code = _COLORS.get(record.levelno)
        return f"\x1b[{code}m{text}\x1b[0m" if self._color and code else text


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``at``, ``level``, ``part``, ``message`` and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        whole_s, fraction = divmod(record.created, 1)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole_s))
        members: dict[str, object] = {
            "at": f"{stamp}.{int(fraction * 1000):03d}Z",
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("seawall."),
            "message": record.getMessage(),
            **_facts_of(record),
        }
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members, ensure_ascii=False, default=str)


def set_up_logging(
    log_format: LogFormat, *, level: str = "info", stream: TextIO | None = None
) -> None:
    """Send the log to standard error (or ``stream``), once a line, in the format asked for."""
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    if log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        color = stream.isatty() and not os.environ.get("NO_COLOR")
        handler.setFormatter(TextFormatter(color=color))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("seawall").setLevel(level.upper())
