"""Reads a Python or MicroPython file."""

from __future__ import annotations

import re
from typing import Final

from seawall.audit.firmware.configuration import literals_in_lines
from seawall.audit.firmware.python_secrets import literals_in
from seawall.audit.firmware.python_spots import places_in
from seawall.audit.firmware.python_updates import update_traits
from seawall.audit.firmware.source import SourceFacts, parted
from seawall.audit.firmware.syntax import Module

MAX_CHARS: Final = 120_000
"""No board could compile as much."""
_LIBRARIES: Final = (
    *(
        "ssl.py",
        "requests/__init__.py",
        "urequests.py",
        "urequests/__init__.py",
        "aiohttp/__init__.py",
    ),
    *("umqtt/simple.py", "umqtt/robust.py", "mip/__init__.py", "urllib/urequest.py", "webrepl.py"),
    *("webrepl_setup.py", "upip.py", "uaiohttpclient.py", "mqtt_as.py"),
)
_BENCH_ONLY: Final = re.compile(
    r"(?:^|/)(?:tests?|examples?)/|(?:^|/)(?:(?:test|example)_[^/]*|[^/]*_(?:test|example))\.\w+$"
)


def read_python(path: str, text: str) -> SourceFacts:
    """Read a module; what is no Python gives `SourceFacts.fault`.

    Args:
        path: Of the file. Known libraries do nothing by themselves: who calls them is judged.
        text: Its content.
    """
    if len(text) > MAX_CHARS:  # As a tree it would take hundreds of megabytes.
        return SourceFacts(literals_in_lines(text), fault="too big to be parsed")
    try:
        module = Module(text)
    except SyntaxError as error:
        where = f"line {error.lineno}" if error.lineno else "somewhere"
        # What cannot be parsed may still be read, if not understood, line by line.
        return SourceFacts(literals_in_lines(text), fault=f"no Python at {where}")
    literals = literals_in(module)
    if is_library(path) or is_bench_only(path):
        return SourceFacts(literals)
    spots, seen = parted(places_in(module))
    return SourceFacts(literals, spots, update_traits(module), seen)


def is_library(path: str) -> bool:
    """Return whether a file is a library of MicroPython's own that many folders hold a copy of."""
    return any(f"/{path}".endswith(f"/{known}") for known in _LIBRARIES)


def is_bench_only(path: str) -> bool:
    """Return whether a file is a test or an example: it runs on no device in the field."""
    return bool(_BENCH_ONLY.search(path))
