"""What was read in a source file, whatever its language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from seawall.audit.firmware.words import Literal


class Weakness(StrEnum):
    """What a line of code can be weak in; each has a check of its own."""

    TLS_UNVERIFIED = "tls-unverified"
    PLAIN_HTTP = "plain-http"
    PLAIN_MQTT = "plain-mqtt"
    WEBREPL = "webrepl"
    DEBUG_OUTPUT = "debug-output"
    DEBUG_SHELL = "debug-shell"


class Trait(StrEnum):
    """What tells a script that updates the device, and how well it does."""

    FETCHES = "fetches"
    FETCHES_PLAIN = "fetches-plain"
    WRITES_CODE = "writes-code"
    UPDATES = "updates"
    """Calls what is known to fetch and to write: no signature unless `VERIFIES` is there."""
    VERIFIES = "verifies"
    HASHES = "hashes"
    COMPARES_VERSIONS = "compares-versions"
    ROLLS_BACK = "rolls-back"


@dataclass(frozen=True, slots=True)
class Spot:
    """A weak place.

    Attributes:
        weakness: In what.
        line: From 1.
        evidence: What stands there, without any secret.
        key: What tells it from others in the same file, whatever the line.
    """

    weakness: Weakness
    line: int
    evidence: str
    key: str


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was read in one file.

    Attributes:
        literals: Secrets that stand in it.
        spots: Weak places.
        traits: Lines of what has to do with updates.
        fault: Why it could not be read, or not all of it.
    """

    literals: tuple[Literal, ...] = ()
    spots: tuple[Spot, ...] = ()
    traits: Mapping[Trait, int] = field(default_factory=dict)
    fault: str | None = None


def decoded(data: bytes) -> str:
    """Return text, whatever its encoding: UTF-8, or one byte a character."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
