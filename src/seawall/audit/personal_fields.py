"""Names of fields that hold what concerns a person. Pure.

A name is a hint, not a proof: findings say the field, people decide. Words are looked for as
whole parts of a name (``user_email``, ``userEmail``), so that ``platform`` is no ``lat``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Final


class Kind(Enum):
    """How near to a person a field is; the value is what to call it."""

    IDENTITY = "who somebody is"
    PLACE = "where somebody is"
    BODY = "how somebody's body is"
    NETWORK = "which network or phone is somebody's"
    HABIT = "when somebody is at home"


_WORDS: Final = {
    Kind.IDENTITY: "email mail phone mobile surname forename firstname lastname fullname birthday "
    "birthdate dob gender passport ssn iban username person patient owner resident tenant "
    "license_plate face fingerprint voice badge employee",
    Kind.PLACE: "lat latitude lon lng longitude gps geo geohash location position coordinates "
    "address street",
    Kind.BODY: "heart heartrate bpm ecg ekg spo2 blood glucose sleep respiration",
    Kind.NETWORK: "ssid bssid mac imei imsi iccid msisdn ip wifi_password",
    Kind.HABIT: "presence occupancy occupied people_count persons motion pir",
}
_BY_WORD: Final = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_NOT: Final = frozenset(
    {"heart_beat", "heartbeat", "valve_position", "position_mm", "motor_position", "wind_position"}
)
"""Of machines, in spite of a word that people have too."""
_MACHINE: Final = frozenset(
    {"valve", "motor", "servo", "blind", "shutter", "door", "window", "gate", "tank", "fan"}
    | {"i2c", "spi", "modbus", "bus", "register", "sensor", "encoder"}
)
"""Beside one of these, ``position`` and ``address`` are not a person's."""


def kind_of(name: str) -> Kind | None:
    """Return what a field with this name would say of a person, None if nothing."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).casefold()
    if spaced in _NOT:
        return None
    parts = [part for part in re.split(r"[^a-z0-9]+", spaced) if part]
    whole = "_".join(parts)
    if whole in _BY_WORD:
        return _BY_WORD[whole]
    if _MACHINE.intersection(parts):
        return None
    return next((kind for part in parts if (kind := _BY_WORD.get(part)) is not None), None)


def personal(names: Iterable[str]) -> list[tuple[str, Kind]]:
    """Return the fields that concern a person, sorted."""
    return [(name, kind) for name in sorted(set(names)) if (kind := kind_of(name)) is not None]
