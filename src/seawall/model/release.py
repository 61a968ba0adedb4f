"""A release: what is signed, published and offered to devices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from typing import Final

from seawall.errors import InvalidNameError

MAX_VERSION_PARTS: Final = 4
MAX_VERSION_PART: Final = 65_535

_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]{0,4})(?:\.(?:0|[1-9][0-9]{0,4})){0,3}\Z")


class ReleaseKind(StrEnum):
    """What a release is made of."""

    FILES = "files"
    """Files of a slot: the agent and an application."""
    IMAGE = "image"
    """One firmware image, written to a partition."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version: 1 to 4 numbers, compared as numbers (``1.2`` equals ``1.2.0``).

    Attributes:
        text: As a person wrote it.
        numbers: Always four.
    """

    text: str
    numbers: tuple[int, int, int, int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.numbers == other.numbers

    def __lt__(self, other: Version) -> bool:
        return self.numbers < other.numbers

    def __hash__(self) -> int:
        return hash(self.numbers)

    def __str__(self) -> str:
        return self.text


def parse_version(text: str) -> Version:
    """Return what a text such as ``1.2.0`` means.

    Decimal numbers joined by dots, each under 65,536, without leading zeros:
    one spelling for each number, because the text names the target.

    Raises:
        InvalidNameError: it is no version.
    """
    numbers = [int(part) for part in text.split(".")] if _VERSION.match(text) else []
    if not numbers or max(numbers) > MAX_VERSION_PART:
        raise InvalidNameError(
            f"version {text[:40]!r} is not allowed",
            reference="invalid-version",
            hint="1 to 4 numbers joined by dots, each under 65,536: 1.2.0",
        )
    first, second, third, fourth = (*numbers, 0, 0, 0)[:4]
    return Version(text, (first, second, third, fourth))


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file of a release.

    Attributes:
        path: Relative to the slot, with ``/``.
        length: In bytes.
        sha256: Of its contents, lower-case hex.
    """

    path: str
    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Release:
    """A release as its manifest and the signed targets metadata tell of it.

    Attributes:
        version: Its version.
        board: What it runs on, such as ``unix``.
        kind: Files of a slot, or one firmware image.
        target: TUF target path of its manifest, ``BOARD/VERSION.json``.
        length: Of the manifest, in bytes.
        sha256: Of the manifest, lower-case hex: what the targets key signed.
        files: What it is made of, sorted by path.
        published_ms: When it was published, UTC milliseconds; 0 until it is.
    """

    version: Version
    board: str
    kind: ReleaseKind
    target: str
    length: int
    sha256: str
    files: tuple[ReleaseFile, ...]
    published_ms: int = 0

    @property
    def size(self) -> int:
        """Bytes of all its files together."""
        return sum(each.length for each in self.files)


def target_path(board: str, version: Version) -> str:
    """Return the TUF target path of a release's manifest."""
    return f"{board}/{version.text}.json"
