"""What a request to the devices' HTTPS endpoint is answered with. Pure.

Only names of the repository's own form exist; nothing is decoded, so that
there is one spelling of each path. Ranges are one ``bytes=N-`` or ``bytes=N-M``;
what RFC 9110, section 14.2, calls invalid or lets a server ignore is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

JSON_TYPE: Final = "application/json"
BYTES_TYPE: Final = "application/octet-stream"
MAX_TARGET_BYTES: Final = 256
METHODS: Final = ("GET", "HEAD")

_METADATA: Final = re.compile(
    r"/(metadata/(?:[1-9][0-9]{0,9}\.(?:root|targets|snapshot)|timestamp)\.json)\Z"
)
_TARGET: Final = re.compile(
    r"/(targets/[a-z0-9]{1,16}/[0-9a-f]{64}\.[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}\.json)\Z"
)
_FILE: Final = re.compile(r"/(targets/files/[0-9a-f]{64})\Z")
_RANGE: Final = re.compile(r"bytes=([0-9]{1,15})-([0-9]{1,15})?\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """What of a file is sent.

    Attributes:
        status: 200, 206 or 416.
        first: First byte.
        length: How many; 0 for 416.
    """

    status: int
    first: int
    length: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of the repository: its path below the folder of updates, and its media type."""

    path: PurePosixPath
    media_type: str


def wanted_file(target: str) -> Wanted | None:
    """Return which file a request target names; None: no name of the repository's form."""
    if len(target) > MAX_TARGET_BYTES:
        return None
    for pattern, media_type in (
        (_METADATA, JSON_TYPE),
        (_TARGET, JSON_TYPE),
        (_FILE, BYTES_TYPE),
    ):
        if match := pattern.match(target):
            return Wanted(PurePosixPath(match[1]), media_type)
    return None


def part_of(method: str, headers: Sequence[tuple[str, str]], length: int) -> Part:
    """Return what of a file of ``length`` bytes is sent.

    Args:
        method: ``GET`` or ``HEAD``, which knows no ranges.
        headers: Names in lower case, and values.
        length: Of the file.
    """
    whole = Part(200, 0, length)
    ranges = [value.strip() for name, value in headers if name == "range"]
    conditional = any(name == "if-range" for name, _ in headers)
    # We give no validator, so that no condition can hold.
    match = _RANGE.match(ranges[0]) if len(ranges) == 1 else None
    if method != "GET" or match is None or conditional:
        return whole
    first = int(match[1])
    last = length - 1 if match[2] is None else int(match[2])
    if match[2] is not None and last < first:
        return whole
    if first >= length:
        return Part(416, 0, 0)
    return Part(206, first, min(last, length - 1) - first + 1)


def range_header(part: Part, length: int) -> str | None:
    """Return ``Content-Range``, None if there is none to send."""
    if part.status == 206:
        return f"bytes {part.first}-{part.first + part.length - 1}/{length}"
    return f"bytes */{length}" if part.status == 416 else None
