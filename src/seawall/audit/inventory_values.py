"""Values in inventories as people write them: dates, serial numbers, yes and no. Pure.

Every reader returns None for what says nothing (``-``, ``never``) and raises `ValueError`, in
words for people, for what it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

MAX_TEXT: Final = 256
_YES: Final = frozenset({"true", "yes", "1", "y"})
_NO: Final = frozenset({"false", "no", "0", "n"})
_NOTHING: Final = frozenset({"", "-", "never", "none", "null", "n/a", "unknown"})
_SECONDS_UNTIL: Final = 100_000_000_000
"""A number below is seconds since 1970 (until the year 5138), else milliseconds (from 1973)."""
_MIN_MS, _MAX_MS = 0, 253_402_300_800_000
_HEX: Final = re.compile(r"[0-9a-f]+\Z")


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | dict | list):
        raise ValueError("neither a text nor a number")
    text = str(value).strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"{len(text)} characters; at most {MAX_TEXT}")
    if not text.isprintable():
        raise ValueError("it holds control characters")
    return None if text.casefold() in _NOTHING else text


def _name(value: Any) -> str | None:
    # A device may well be called "unknown" or "-".
    return _text(value) or (str(value).strip() if value is not None else None)


def _status(value: Any) -> str | None:
    text = _text(value)
    return None if text is None else text.casefold()


def _serial(value: Any) -> str | None:
    text = _text(value)
    if text is None:
        return None
    plain = text.casefold().removeprefix("0x").replace(":", "").replace(" ", "")
    return (plain.lstrip("0") or "0") if _HEX.match(plain) else text


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    text = (_text(value) or "").casefold()
    if text in _YES:
        return True
    if text in _NO:
        return False
    if not text:
        return None
    raise ValueError(f"{text[:40]!r} is neither yes nor no")


def _moment(value: Any) -> int | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(value)
    text = _text(value)
    if text is None:
        return None
    if re.fullmatch(r"\d{9,14}(\.\d+)?", text, re.ASCII):
        return _from_number(float(text))
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:40]!r} is no date (2026-11-22, 2026-11-22T03:30:00Z, or seconds or "
            "milliseconds since 1970)"
        ) from None


def _from_number(value: float) -> int:
    at_ms = value * 1000 if abs(value) < _SECONDS_UNTIL else value
    if not _MIN_MS <= at_ms < _MAX_MS:
        raise ValueError(f"{str(value)[:40]} is no time since 1970")
    return round(at_ms)


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "device_id": _name,
    "board": _text,
    "firmware": _text,
    "serial": _serial,
    "expires_ms": _moment,
    "last_seen_ms": _moment,
    "added_ms": _moment,
    "revoked": _flag,
    "revoked_ms": _moment,
    "status": _status,
}


def version_key(text: str) -> tuple[int, ...] | None:
    """Return what a version is compared by; None if it is no version: ``v1.2.0-rc1`` is (1, 2, 0).

    Numbers with dots in front count, what follows them does not; trailing zeros neither.
    """
    match = re.match(r"[vV]?(\d{1,9}(?:\.\d{1,9}){0,5})(?![\d])", text.strip(), re.ASCII)
    if match is None:
        return None
    numbers = [int(part) for part in match[1].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
