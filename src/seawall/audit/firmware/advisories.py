"""The database of known vulnerabilities, and which of them a version has.

The file is JSON: ``format`` 1, ``date`` (the last day of the CVE list that was read for it,
however much later the file was written), ``vulnerabilities``, and ``sha256`` over all of it
but this member, as JSON with sorted keys and no spaces. The hash finds files that were cut
or edited; who made the file is for its reader to know. docs/reference/vulnerabilities.md
tells how one is made.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from seawall.model.finding import Severity

FORMAT: Final = 1
MAX_AGE_DAYS: Final = 365
"""After that, finding nothing is unknown. A year: with less, an installation that nobody
touched would change its grade between two releases of Seawall, and the age is shown anyway."""

_NUMBER: Final = re.compile(r"\d+")
_PRERELEASE: Final = re.compile(r"(?i)[-.]?(?:alpha|beta|rc|preview|dev|pre)\b|(?<=\d)(?:a|b|rc)\d")


class DatabaseError(ValueError):
    """A file is no database of vulnerabilities; the message says why."""


@dataclass(frozen=True, slots=True)
class Range:
    """Versions from ``introduced`` up to, and without, ``fixed``; or up to ``last``."""

    introduced: str
    fixed: str | None = None
    last: str | None = None

    def holds(self, version: str) -> bool:
        """Return whether a version lies in the range."""
        asked = order_of(version)
        if asked < order_of(self.introduced):
            return False
        if self.fixed is not None:
            return asked < order_of(self.fixed)
        return self.last is not None and asked <= order_of(self.last)


@dataclass(frozen=True, slots=True)
class Vulnerability:
    """One entry.

    Attributes:
        id: Such as ``CVE-2024-8946``.
        component: Its name, lower-case.
        title: What is wrong, a few words.
        severity: As the record has it.
        ranges: Versions that have it.
        url: Where it is described.
    """

    id: str
    component: str
    title: str
    severity: Severity
    ranges: tuple[Range, ...]
    url: str

    def fixed_after(self, version: str) -> str | None:
        """Return the version that mends the one given, None if no range says it."""
        return next((each.fixed for each in self.ranges if each.holds(version)), None)


@dataclass(frozen=True, slots=True)
class Database:
    """What is known, and up to which day."""

    made: date
    vulnerabilities: tuple[Vulnerability, ...]

    def age_days(self, today: date) -> int:
        """Return the days since the last one that the database knows."""
        return (today - self.made).days

    def components(self) -> frozenset[str]:
        """Return the names of which anything is known."""
        return frozenset(each.component for each in self.vulnerabilities)

    def of(self, component: str, version: str) -> tuple[Vulnerability, ...]:
        """Return what is known of a component in a version."""
        return tuple(
            each
            for each in self.vulnerabilities
            if each.component == component and any(one.holds(version) for one in each.ranges)
        )


def order_of(version: str) -> tuple[int, ...]:
    """Return what versions are compared by: numbers; a preview comes before its release."""
    before = _PRERELEASE.search(version)
    numbers = [
        int(n[:9]) for n in _NUMBER.findall(version[: before.start()] if before else version)
    ]
    padded = [*numbers[:4], 0, 0, 0, 0][:4]
    return (*padded, -1 if before else 0)


def read_database(data: bytes) -> Database:
    """Read a database.

    Raises:
        DatabaseError: it is none, was cut or edited, or is of another format.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        raise DatabaseError("not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DatabaseError(f"not a database of format {FORMAT}")
    if content.get("sha256") != digest_of(content):
        raise DatabaseError("its hash does not fit its content: it was cut or edited")
    try:
        made = date.fromisoformat(content["date"])
        entries = tuple(_vulnerability(entry) for entry in content["vulnerabilities"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatabaseError(f"an entry is not as it must be ({type(error).__name__})") from None
    return Database(made, entries)


def digest_of(content: dict[str, Any]) -> str:
    """Return the SHA-256, in hex, of a database without its member ``sha256``."""
    rest = {key: value for key, value in content.items() if key != "sha256"}
    compact = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(compact.encode()).hexdigest()


def _vulnerability(entry: dict[str, Any]) -> Vulnerability:
    ranges = tuple(
        Range(str(each["introduced"]), each.get("fixed"), each.get("last"))
        for each in entry["ranges"]
    )
    return Vulnerability(
        id=str(entry["id"]),
        component=str(entry["component"]),
        title=str(entry["title"]),
        severity=Severity(entry["severity"]),
        ranges=ranges,
        url=str(entry["url"]),
    )
