"""The elements of a date layout: what each takes from the front of a text, and what it means.

As the Go function ``time.Parse`` does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PIVOT_YEAR: Final = 69
NANOSECOND_DIGITS: Final = 9


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


# Literals and numbers


def after_literal(value: str, literal: str) -> str:
    """Return what follows a literal; blanks match any number of them."""
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


def reader_of(element: str, following: str) -> Reader | None:
    """Return what takes an element, given the one that follows it."""
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
