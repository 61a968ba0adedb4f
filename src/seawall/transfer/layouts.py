"""Date layouts: an example of a moment (``2006-01-02 15:04:05``) says how dates are written.

The layouts, and what they accept, are those of the Go function ``time.Parse``;
layouts in the manner of SQL Server (``yyyy-MM-dd``) and of Oracle
(``YYYY-MM-DD``) are translated first. Elements are given in shared facts about
mongoimport, section 10.
"""

from __future__ import annotations

import re
import time
from functools import cache
from typing import Final

from seawall.transfer.layout_elements import (
    LayoutMismatchError,
    Moment,
    Reader,
    after_literal,
    reader_of,
)

DAYS_BEFORE_EPOCH: Final = 719_162
"""Days from 0001-01-01 to 1970-01-01."""
DAYS_IN: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

_ELEMENT: Final = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST"
    r"|002|01|02|03|04|05|06|15|1|_2006|2006|__2|_2|2|3|4|5|PM|pm"
    r"|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07"
    r"|[.,](?:0+|9+)(?![0-9])"
)


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
            self._steps.append((self.parts[index], reader_of(following, after)))

    def milliseconds(self, text: str) -> int:
        """Return the moment in milliseconds since 1970-01-01 UTC.

        Raises:
            LayoutMismatchError: The text does not fit.
        """
        moment = Moment(text)
        for literal, read in self._steps:
            moment.rest = after_literal(moment.rest, literal)
            if read is not None:
                read(moment)
        if moment.rest:
            raise LayoutMismatchError("extra text")
        return _milliseconds(moment)


@cache
def layout_of(layout: str) -> Layout:
    """Return a compiled layout; the same one for the same text."""
    return Layout(layout)


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
    return 29 if month == 2 and _is_leap(year) else DAYS_IN[month - 1]


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


def _table(*rows: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for row in rows for pair in row.split())


_MICROSOFT: Final = _table(
    "dddd=Monday ddd=Mon dd=02 d=2 MMMM=January MMM=Jan MM=01 M=1 hh=03 h=3 HH=15 H=15",
    "mm=04 m=4 ss=05 s=5 tt=PM yyyy=2006 yyy=2006 yy=06 zzz=-07:00 zz=-07",
)
_ORACLE: Final = _table(
    "AM=PM PM=PM DAY=Monday DY=Mon DD=02 HH12=03 HH24=15 HH=03 MI=04 MONTH=January MON=Jan",
    "MM=01 SS=05 TZH:TZM=-07:00 TZD=MST TZH=-07 YYYY=2006 YY=06",
)


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
