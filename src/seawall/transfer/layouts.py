"""Date layouts: an example of a moment (``2006-01-02 15:04:05``) says how dates are written.

The layouts, and what they accept, are those of the Go function ``time.Parse``;
layouts in the manner of SQL Server (``yyyy-MM-dd``) and of Oracle
(``YYYY-MM-DD``) are translated first. Elements are given in shared facts about
mongoimport, section 10.
"""

from __future__ import annotations

import calendar
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS_BEFORE_EPOCH: Final = 719_162
"""Days from 0001-01-01 to 1970-01-01."""
PIVOT_YEAR: Final = 69
NANOSECOND_DIGITS: Final = 9

_ELEMENT: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST"
    r"|002|01|02|03|04|05|06|15|1|_2006|2006|__2|_2|2|3|4|5|PM|pm"
    r"|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07"
    r"|[.,](?:0+|9+)(?![0-9])"
)


class LayoutMismatchError(ValueError):
    """The text is not what the layout says."""


@dataclass
class Moment:
    """What was found so far; None for what was not."""

    rest: str
    year: int = 0
    month: int | None = None
    day: int | None = None
    day_of_year: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanoseconds: int = 0
    half: str = ""
    offset_s: int | None = None
    zone: str = ""


Reader = Callable[[Moment], None]


def elements_of(layout: str) -> list[str]:
    """Return literal texts and elements by turns: literal, element, literal, ..., literal."""
    parts: list[str] = []
    start = 0
    for found in _ELEMENT.finditer(layout):
        element = found.group()
        # An underscore before a year is a literal, and the year is its own element.
        skipped = 1 if element == "_2006" else 0
        parts += [layout[start : found.start() + skipped], element[skipped:]]
        start = found.end()
    return [*parts, layout[start:]]


class Layout:
    """A layout, ready to read dates.

    Args:
        layout: In Go's manner.
    """

    def __init__(self, layout: str) -> None:
        self.parts = elements_of(layout)
        self._steps: list[tuple[str, Reader | None]] = []
        for index in range(0, len(self.parts), 2):
            following = self.parts[index + 1] if index + 1 < len(self.parts) else ""
            after = self.parts[index + 3] if index + 3 < len(self.parts) else ""
            self._steps.append((self.parts[index], _reader(following, after)))

    def milliseconds(self, text: str) -> int:
        """Return the moment in milliseconds since 1970-01-01 UTC.

        Raises:
            LayoutMismatchError: The text does not fit.
        """
        moment = Moment(text)
        for literal, read in self._steps:
            moment.rest = _after_literal(moment.rest, literal)
            if read is not None:
                read(moment)
        if moment.rest:
            raise LayoutMismatchError("extra text")
        return _milliseconds(moment)


@cache
def layout_of(layout: str) -> Layout:
    """Return a compiled layout; the same one for the same text."""
    return Layout(layout)


# Literals and numbers


def _after_literal(value: str, literal: str) -> str:
    while literal:
        if literal[0] == " ":
            if value and value[0] != " ":
                raise LayoutMismatchError("a blank is missing")
            literal, value = literal.lstrip(" "), value.lstrip(" ")
        elif not value or value[0] != literal[0]:
            raise LayoutMismatchError("another text")
        else:
            literal, value = literal[1:], value[1:]
    return value


def _is_digit(text: str, index: int) -> bool:
    return index < len(text) and "0" <= text[index] <= "9"


def _take_number(moment: Moment, fixed: bool, low: int, high: int) -> int:
    """Take one or two digits; exactly two if ``fixed``."""
    rest = moment.rest
    if not _is_digit(rest, 0) or (fixed and not _is_digit(rest, 1)):
        raise LayoutMismatchError("a digit is missing")
    width = 2 if _is_digit(rest, 1) else 1
    number = int(rest[:width])
    moment.rest = rest[width:]
    if not low <= number <= high:
        raise LayoutMismatchError("out of range")
    return number


def _signed(text: str) -> int:
    digits = text[1:] if text[:1] in {"+", "-"} else text
    if not digits.isascii() or not digits.isdigit():
        raise LayoutMismatchError("a digit is missing")
    return int(text)


def _take_name(moment: Moment, names: tuple[str, ...], length: int | None) -> int:
    lowered = moment.rest.lower()
    for index, name in enumerate(names):
        short = name[:length].lower()
        if lowered.startswith(short):
            moment.rest = moment.rest[len(short) :]
            return index
    raise LayoutMismatchError("no such name")


def _fraction(text: str) -> int:
    """Return the nanoseconds of a separator and digits."""
    digits = text[1:][:NANOSECOND_DIGITS]
    if text[:1] not in {".", ","} or not digits.isascii() or not digits.isdigit():
        raise LayoutMismatchError("no fraction of a second")
    return int(digits.ljust(NANOSECOND_DIGITS, "0"))


def _fraction_length(text: str) -> int:
    if text[:1] not in {".", ","} or not _is_digit(text, 1):
        return 0
    length = 2
    while _is_digit(text, length):
        length += 1
    return length


# Elements


def _reader(element: str, following: str) -> Reader | None:
    if not element:
        return None
    if element[0] in ".,":
        return _exact_fraction(len(element)) if element[1] == "0" else _any_fraction
    if element[0] in "-Z" and element[1:3] == "07":
        return _offset_reader(element)
    if element in {"05", "5"}:
        return _second_reader(element == "05", following[:1] in {".", ","})
    return _READERS[element]


def _exact_fraction(length: int) -> Reader:
    def read(moment: Moment) -> None:
        if len(moment.rest) < length:
            raise LayoutMismatchError("fraction too short")
        moment.nanoseconds = _fraction(moment.rest[:length])
        moment.rest = moment.rest[length:]

    return read


def _any_fraction(moment: Moment) -> None:
    length = _fraction_length(moment.rest)
    if length:
        moment.nanoseconds = _fraction(moment.rest[:length])
        moment.rest = moment.rest[length:]


def _second_reader(fixed: bool, fraction_follows: bool) -> Reader:
    def read(moment: Moment) -> None:
        moment.second = _take_number(moment, fixed, 0, 59)
        if not fraction_follows:
            _any_fraction(moment)

    return read


def _offset_reader(element: str) -> Reader:
    shape = element[1:]
    places = {
        "07": (3, (1,)),
        "0700": (5, (1, 3)),
        "07:00": (6, (1, 4)),
        "070000": (7, (1, 3, 5)),
        "07:00:00": (9, (1, 4, 7)),
    }
    length, starts = places[shape]

    def read(moment: Moment) -> None:
        if element[0] == "Z" and moment.rest.startswith("Z"):
            moment.offset_s, moment.rest = 0, moment.rest[1:]
            return
        text, moment.rest = moment.rest[:length], moment.rest[length:]
        colons = all(text[i : i + 1] == ":" for i, c in enumerate(element) if c == ":")
        if len(text) < length or text[0] not in "+-" or not colons:
            raise LayoutMismatchError("no offset")
        numbers = [_unsigned(text[start : start + 2]) for start in starts]
        hours, minutes, seconds = (*numbers, 0, 0)[:3]
        offset = (hours * 60 + minutes) * 60 + seconds
        moment.offset_s = -offset if text[0] == "-" else offset

    return read


def _unsigned(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise LayoutMismatchError("a digit is missing")
    return int(text)


def _short_year(moment: Moment) -> None:
    if len(moment.rest) < 2:
        raise LayoutMismatchError("no year")
    year = _signed(moment.rest[:2])
    moment.rest = moment.rest[2:]
    moment.year = year + (1900 if year >= PIVOT_YEAR else 2000)


def _long_year(moment: Moment) -> None:
    if len(moment.rest) < 4 or not _is_digit(moment.rest, 0):
        raise LayoutMismatchError("no year")
    moment.year = _signed(moment.rest[:4])
    moment.rest = moment.rest[4:]


def _month_name(length: int | None) -> Reader:
    def read(moment: Moment) -> None:
        moment.month = _take_name(moment, MONTHS, length) + 1

    return read


def _weekday(length: int | None) -> Reader:
    def read(moment: Moment) -> None:
        _take_name(moment, WEEKDAYS, length)

    return read


def _month(fixed: bool) -> Reader:
    def read(moment: Moment) -> None:
        moment.month = _take_number(moment, fixed, 1, 12)

    return read


def _day(fixed: bool, padded: bool) -> Reader:
    def read(moment: Moment) -> None:
        if padded and moment.rest.startswith(" "):
            moment.rest = moment.rest[1:]
        moment.day = _take_number(moment, fixed, 0, 99)

    return read


def _day_of_year(padded: bool) -> Reader:
    def read(moment: Moment) -> None:
        for _ in range(2):
            if padded and moment.rest.startswith(" "):
                moment.rest = moment.rest[1:]
        width = 0
        while width < 3 and _is_digit(moment.rest, width):
            width += 1
        if not width or (not padded and width != 3):
            raise LayoutMismatchError("no day of the year")
        moment.day_of_year = int(moment.rest[:width])
        moment.rest = moment.rest[width:]

    return read


def _hour(fixed: bool, high: int) -> Reader:
    def read(moment: Moment) -> None:
        moment.hour = _take_number(moment, fixed, 0, high)

    return read


def _minute(fixed: bool) -> Reader:
    def read(moment: Moment) -> None:
        moment.minute = _take_number(moment, fixed, 0, 59)

    return read


def _half(upper: bool) -> Reader:
    def read(moment: Moment) -> None:
        half, moment.rest = moment.rest[:2], moment.rest[2:]
        if half not in ({"AM", "PM"} if upper else {"am", "pm"}):
            raise LayoutMismatchError("neither AM nor PM")
        moment.half = half.upper()

    return read


def _zone_name(moment: Moment) -> None:
    if moment.rest.startswith("UTC"):
        moment.offset_s, moment.rest = 0, moment.rest[3:]
        return
    length = _zone_length(moment.rest)
    if not length:
        raise LayoutMismatchError("no name of a zone")
    moment.zone, moment.rest = moment.rest[:length], moment.rest[length:]


def _zone_length(value: str) -> int:
    if len(value) < 3:
        return 0
    if value[:4] in {"ChST", "MeST"}:
        return 4
    if value.startswith("GMT"):
        return 3 + _signed_offset_length(value[3:])
    if value[0] in "+-":
        return _signed_offset_length(value)
    upper = 0
    while upper < 6 and upper < len(value) and "A" <= value[upper] <= "Z":
        upper += 1
    if upper == 5:
        return 5 if value[4] == "T" else 0
    if upper == 4:
        return 4 if value[3] == "T" or value[:4] == "WITA" else 0
    return 3 if upper == 3 else 0


def _signed_offset_length(value: str) -> int:
    if value[:1] not in {"+", "-"}:
        return 0
    end = 1
    while _is_digit(value, end):
        end += 1
    return end if end > 1 and int(value[1:end]) <= 23 else 0


_READERS: Final[dict[str, Reader]] = {
    "2006": _long_year,
    "06": _short_year,
    "01": _month(True),
    "1": _month(False),
    "Jan": _month_name(3),
    "January": _month_name(None),
    "Mon": _weekday(3),
    "Monday": _weekday(None),
    "02": _day(True, False),
    "2": _day(False, False),
    "_2": _day(False, True),
    "002": _day_of_year(False),
    "__2": _day_of_year(True),
    "15": _hour(False, 23),
    "03": _hour(True, 12),
    "3": _hour(False, 12),
    "04": _minute(True),
    "4": _minute(False),
    "PM": _half(True),
    "pm": _half(False),
    "MST": _zone_name,
}


# From parts to a moment


def days_since_epoch(year: int, month: int, day: int) -> int:
    """Return days from 1970-01-01 in the proleptic Gregorian calendar; any year."""
    # Shift by whole eras of 400 years, so that years before 1 work.
    eras, short = divmod(year - 1, 400)
    ordinal = short * 365 + short // 4 - short // 100
    before = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)[month - 1]
    leap = month > 2 and _is_leap(year)
    return eras * 146_097 + ordinal + before + leap + day - 1 - DAYS_BEFORE_EPOCH


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_in(year: int, month: int) -> int:
    return 29 if month == 2 and _is_leap(year) else calendar.mdays[month]


def _milliseconds(moment: Moment) -> int:
    hour = moment.hour
    if moment.half == "PM" and hour < 12:
        hour += 12
    elif moment.half == "AM" and hour == 12:
        hour = 0
    month, day = _month_and_day(moment)
    days = days_since_epoch(moment.year, month, day)
    seconds = ((days * 24 + hour) * 60 + moment.minute) * 60 + moment.second
    if moment.offset_s is not None:
        seconds -= moment.offset_s
    elif moment.zone:
        seconds -= _local_offset_s(moment.zone)
    return seconds * 1000 + moment.nanoseconds // 1_000_000


def _month_and_day(moment: Moment) -> tuple[int, int]:
    if moment.day_of_year is None:
        month, day = moment.month or 1, 1 if moment.day is None else moment.day
    else:
        month, day = 1, moment.day_of_year
        if not 1 <= day <= 365 + _is_leap(moment.year):
            raise LayoutMismatchError("no such day of the year")
        while day > _days_in(moment.year, month):
            day -= _days_in(moment.year, month)
            month += 1
        if moment.month not in {None, month} or moment.day not in {None, day}:
            raise LayoutMismatchError("day of the year and date differ")
    if not 1 <= day <= _days_in(moment.year, month):
        raise LayoutMismatchError("no such day")
    return month, day


def _local_offset_s(zone: str) -> int:
    """Return the offset of a name of this machine's own zone; 0 for every other name."""
    standard, summer = time.tzname
    if zone == standard:
        return -time.timezone
    return -time.altzone if time.daylight and zone == summer else 0


# Other manners

_MICROSOFT: Final = {
    **{"dddd": "Monday", "ddd": "Mon", "dd": "02", "d": "2"},
    **{"MMMM": "January", "MMM": "Jan", "MM": "01", "M": "1"},
    **{"hh": "03", "h": "3", "HH": "15", "H": "15", "mm": "04", "m": "4", "ss": "05", "s": "5"},
    **{"tt": "PM", "yyyy": "2006", "yyy": "2006", "yy": "06", "zzz": "-07:00", "zz": "-07"},
}
_ORACLE: Final = {
    **{"AM": "PM", "PM": "PM", "DAY": "Monday", "DY": "Mon", "DD": "02"},
    **{"HH12": "03", "HH24": "15", "HH": "03", "MI": "04", "MONTH": "January", "MON": "Jan"},
    **{"MM": "01", "SS": "05", "TZH:TZM": "-07:00", "TZD": "MST", "TZH": "-07"},
    **{"YYYY": "2006", "YY": "06"},
}


def _translated(layout: str, table: dict[str, str]) -> str:
    longest_first = sorted(table, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return pattern.sub(lambda found: table[found.group()], layout)


def from_microsoft(layout: str) -> str:
    """Return a layout of SQL Server's FORMAT in Go's manner."""
    return _translated(layout, _MICROSOFT)


def from_oracle(layout: str) -> str:
    """Return a layout of Oracle's TO_DATE in Go's manner."""
    return _translated(layout.upper(), _ORACLE)
