"""What was read in a source file, whatever its language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    OPEN_WIFI = "open-wifi"


class Sight(StrEnum):
    """How much was seen of a place that could be weak and is not known to be."""

    SOUND = "sound"
    """What decides stands there, and is no weakness."""
    OPEN = "open"
    """It is such a place, but what decides stands elsewhere."""
    NAMED = "named"
    """A library for it is named; whether and how it is used is not seen there."""


class Language(StrEnum):
    """What a program is written for: the same weakness is mended in other words in each."""

    PYTHON = "python"
    ARDUINO = "arduino"
    ESP_IDF = "esp-idf"


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
class Seen:
    """A place that is not known to be weak; without one a check had nothing to judge.

    Attributes:
        weakness: What it would be weak in.
        sight: How much was seen.
        line: From 1.
        evidence: What stands there.
    """

    weakness: Weakness
    sight: Sight
    line: int
    evidence: str


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What was read in one file.

    Attributes:
        literals: Secrets that stand in it.
        spots: Weak places.
        traits: Lines of what has to do with updates.
        seen: Places that are not known to be weak.
        language: What it is written for.
        fault: Why it could not be read, or not all of it.
    """

    literals: tuple[Literal, ...] = ()
    spots: tuple[Spot, ...] = ()
    traits: Mapping[Trait, int] = field(default_factory=dict)
    seen: tuple[Seen, ...] = ()
    language: Language = Language.PYTHON
    fault: str | None = None


def decoded(data: bytes) -> str:
    """Return text, whatever its encoding: UTF-8, or one byte a character."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parted(places: Iterable[Spot | Seen]) -> tuple[tuple[Spot, ...], tuple[Seen, ...]]:
    """Return weak places, each once, and the others."""
    spots: dict[tuple[Weakness, int, str], Spot] = {}
    seen: dict[Seen, None] = {}
    for place in places:
        match place:
            case Spot():
                spots[place.weakness, place.line, place.key] = place
            case Seen():
                seen[place] = None
    return tuple(spots.values()), tuple(seen)
