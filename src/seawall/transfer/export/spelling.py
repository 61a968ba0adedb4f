"""How numbers, dates and strings are spelled in exports, to the letter of the original."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

MS_PER_DAY: Final = 86_400_000
FIRST_UNSPELLED_MS: Final = 32_535_215_999_000
"""From this time on (end of the year 3000) CSV and legacy JSON give milliseconds."""
LAST_RELAXED_MS: Final = 253_402_300_799_999
"""The end of the year 9999: relaxed JSON spells the dates from 1970 to here."""

_FROM_MARCH: Final = 719_468
"""Days from 0000-03-01 to 1970-01-01; years that begin in March end in their leap day."""
_ERA_DAYS: Final = 146_097

_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\\u2028\u2029\udc80-\udcff]')
_SHORT: Final = {
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    '"': '\\"',
    "\\": "\\\\",
}
_LEGACY_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\udc80-\udcff]')
_LEGACY_SHORT: Final = {"\n": "\\n", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def shortest(number: float, letter: str = "e") -> str:
    """Return the fewest digits that read back as this finite number; no ``.0``.

    With an exponent (sign and at least two digits) when it is below -4 or above 5,
    as the verb ``%g`` of Go.
    """
    text = repr(number)
    if number == 0 or 1e-4 <= abs(number) < 1e6:
        return text.removesuffix(".0")
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)  # noqa: S101  finite numbers have one
    exponent += len(digits) - 1
    first, *rest = map(str, digits)
    fraction = "".join(rest).rstrip("0")
    point = "." if fraction else ""
    return f"{'-' * sign}{first}{point}{fraction}{letter}{exponent:+03d}"


def json_double(number: float) -> str:
    """Return a double as Extended JSON spells it: ``1.0``, ``1E+06``, ``NaN``."""
    if math.isfinite(number):
        text = shortest(number, "E")
        return text if "." in text or "E" in text else text + ".0"
    return _endless(number, "Infinity")


def csv_double(number: float) -> str:
    """Return a double as a cell: ``1``, ``1e+06``, ``+Inf``."""
    if math.isfinite(number):
        return shortest(number)
    return "+Inf" if number > 0 else _endless(number, "Inf")


def legacy_double(number: float) -> str:
    """Return a double as legacy JSON inside a cell: ``1.0``, ``1e+06``, ``+Infinity``."""
    if math.isfinite(number):
        text = shortest(number)
        return text + ".0" if number.is_integer() and "e" not in text else text
    return "+Infinity" if number > 0 else _endless(number, "Infinity")


def _endless(number: float, word: str) -> str:
    if math.isnan(number):
        return "NaN"
    return word if number > 0 else "-" + word


def iso_milliseconds(at_ms: int) -> str:
    """Return a moment as ``2020-01-02T03:04:05.678Z``; any year."""
    days, ms = divmod(at_ms, MS_PER_DAY)
    year, month, day = civil_date(days)
    seconds, ms = divmod(ms, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    shown = f"{year:04d}" if year >= 0 else f"-{-year:04d}"
    return f"{shown}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}.{ms:03d}Z"


def iso_relaxed(at_ms: int) -> str:
    """Return a moment without the zeros at the end of its milliseconds."""
    text = iso_milliseconds(at_ms)
    return text if at_ms % 10 else text[:-1].rstrip("0").removesuffix(".") + "Z"


def civil_date(days: int) -> tuple[int, int, int]:
    """Return (year, month, day) of a day counted from 1970-01-01, Gregorian in all years."""
    eras, day = divmod(days + _FROM_MARCH, _ERA_DAYS)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    return eras * 400 + year + (month <= 2), month, day


def quoted(raw: bytes) -> str:
    """Return UTF-8 as a JSON string; a byte that is none becomes U+FFFD, escaped."""
    text = raw.decode("utf-8", "surrogateescape")
    if _ESCAPED.search(text):
        text = _ESCAPED.sub(_escape, text)
    return f'"{text}"'


def legacy_quoted(raw: bytes) -> str:
    """Return UTF-8 as a JSON string that may stand in a page of HTML."""
    text = raw.decode("utf-8", "surrogateescape")
    return '"' + _LEGACY_ESCAPED.sub(_legacy_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found.group()) or _by_number(found.group())


def _legacy_escape(found: re.Match[str]) -> str:
    return _LEGACY_SHORT.get(found.group()) or _by_number(found.group())


def _by_number(character: str) -> str:
    is_stray_byte = "\udc80" <= character <= "\udcff"
    return "\\ufffd" if is_stray_byte else f"\\u{ord(character):04x}"


@lru_cache(4096)
def quoted_key(raw: bytes) -> str:
    """Return `quoted` of a name; documents of a collection share their names."""
    return quoted(raw)
