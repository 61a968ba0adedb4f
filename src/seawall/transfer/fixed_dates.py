"""Dates of one width and layout, a column at a time; anything else is left to `layouts`."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from seawall.transfer.layouts import elements_of
from seawall.transfer.segments import Array, bytes_of, offsets_of

WIDTHS: Final = {"2006": 4, "01": 2, "02": 2, "15": 2, "04": 2, "05": 2, "Z07:00": 1, ".000": 4}
_DAYS_BEFORE: Final = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], np.int64)
_DAYS_IN: Final = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


class FixedLayout:
    """A layout whose dates all have one width.

    Args:
        layout: In Go's manner.
    """

    def __init__(self, layout: str) -> None:
        parts = elements_of(layout)
        self._literals: list[tuple[int, int]] = []
        self._elements: list[tuple[str, int]] = []
        position = 0
        self.is_fixed = layout.isascii()
        for index, part in enumerate(parts):
            if index % 2 == 0:
                for character in part.encode("ascii", "replace"):
                    self._literals.append((position, character))
                    position += 1
            else:
                self.is_fixed &= part in WIDTHS
                self._elements.append((part, position))
                position += WIDTHS.get(part, 0)
        names = [name for name, _ in self._elements]
        self.is_fixed &= len(names) == len(set(names)) and bool(names)
        self.width = position

    def milliseconds(self, values: pa.StringArray) -> Array | None:
        """Return milliseconds since 1970, None if one cell is not exactly as wide and in range."""
        offsets = offsets_of(values)
        if not self.is_fixed or not ((offsets[1:] - offsets[:-1]) == self.width).all():
            return None
        first = int(offsets[0])
        table = bytes_of(values)[first : int(offsets[-1])].reshape(len(values), self.width)
        for place, character in self._literals:
            if not (table[:, place] == character).all():
                return None
        found: dict[str, Array] = {}
        for name, place in self._elements:
            number = self._number(table, name, place)
            if number is None:
                return None
            found[name] = number
        return _milliseconds(found, len(values))

    def _number(self, table: Array, name: str, place: int) -> Array | None:
        width = WIDTHS[name]
        if name == "Z07:00":
            return np.zeros(len(table), np.int64) if (table[:, place] == ord("Z")).all() else None
        if name == ".000":
            if not (table[:, place] == ord(".")).all():
                return None
            place, width = place + 1, 3
        total = np.zeros(len(table), np.int64)
        for column in range(place, place + width):
            digit = table[:, column] - np.uint8(48)
            if digit.max(initial=0) > 9:
                return None
            total *= 10
            total += digit
        return total


def _milliseconds(found: dict[str, Array], rows: int) -> Array | None:
    zeros = np.zeros(rows, np.int64)
    year, month = found.get("2006", zeros), found.get("01", zeros + 1)
    day, hour = found.get("02", zeros + 1), found.get("15", zeros)
    minute, second = found.get("04", zeros), found.get("05", zeros)
    if month.min() < 1 or month.max() > 12 or day.min() < 1:
        return None
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if (day > _DAYS_IN[month] + (leap & (month == 2))).any():
        return None
    if hour.max() > 23 or minute.max() > 59 or second.max() > 59:
        return None
    past = year - 1
    days = past * 365 + past // 4 - past // 100 + past // 400
    days += _DAYS_BEFORE[month] + (leap & (month > 2)) + day - 1 - 719_162
    milliseconds: Array = ((days * 24 + hour) * 60 + minute) * 60 + second
    return milliseconds * 1000 + found.get(".000", zeros)
