"""Times as people and machines write them: told from samples, or read as was said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from seawall.model.reading import MAX_TS_MS, MIN_TS_MS
from seawall.transfer import layouts
from seawall.transfer.layout_elements import MONTHS, PIVOT_YEAR, LayoutMismatchError
from seawall.transfer.readings.failures import CellError, TimeFormatError
from seawall.transfer.readings.units import Cell

SPREADSHEET_EPOCH_DAYS: Final = 25_569
"""Days from 1899-12-30, where spreadsheets begin to count, to 1970-01-01."""
MS_PER_DAY: Final = 86_400_000


class Wall(NamedTuple):
    """What a cell says.

    Attributes:
        ms: Milliseconds from 1970-01-01T00:00, by the clock that was read.
        is_utc: Whether that clock shows UTC (the cell names its offset, or counts seconds).
    """

    ms: int
    is_utc: bool


Read = Callable[[Cell], Wall]


@dataclass(frozen=True)
class TimeFormat:
    """One way to write times.

    Args:
        name: As `--time-format` takes it.
        example: A time written so.
        read: Reads a cell; CellError if it is not written so.
    """

    name: str
    example: str
    read: Read


_CLOCK: Final = (
    r"(?:(?:[T ]\s*|,\s*)(?P<hour>\d{1,2})[:.](?P<minute>\d{2})"
    r"(?:[:.](?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r"\s*(?P<offset>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
)
_MONTH_NAME: Final = r"(?P<name>[A-Za-z]{3,9})\.?"
_SHAPES: Final = {
    "ymd": r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
    "dmy": r"(?P<day>\d{1,2})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
    "mdy": r"(?P<month>\d{1,2})(?P<sep>[-/.])(?P<day>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
    "names": rf"(?:(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[-/. ]+{_MONTH_NAME}"
    rf"|{_MONTH_NAME.replace('name', 'first')} +(?P<second_day>\d{{1,2}})(?:st|nd|rd|th)?)"
    r"[-/., ]+(?P<year>\d{4})",
}
_MONTHS: Final = {
    name[:length].lower(): number
    for number, name in enumerate(MONTHS, start=1)
    for length in (3, len(name))
}


def _calendar(name: str) -> Read:
    pattern = re.compile(r"\s*" + _SHAPES[name] + _CLOCK + r"\s*", re.ASCII)

    def read(cell: Cell) -> Wall:
        if isinstance(cell, datetime):
            return _of_datetime(cell)
        found = pattern.fullmatch(cell) if isinstance(cell, str) else None
        if found is None:
            raise CellError(f"is no time such as {FORMATS[name].example}")
        return _of_parts(found.groupdict())

    return read


def _of_parts(parts: dict[str, str | None]) -> Wall:
    name = parts.get("name") or parts.get("first")
    month = _MONTHS.get(name.lower(), 0) if name else int(parts["month"] or 0)
    day = int(parts.get("day") or parts.get("second_day") or 0)
    year = int(parts["year"] or 0)
    if year < 100:
        year += 1900 if year >= PIVOT_YEAR else 2000
    hour = _hour(int(parts["hour"] or 0), parts["half"])
    fraction = (parts["fraction"] or "").ljust(3, "0")[:3]
    try:
        moment = datetime(
            *(year, month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0)),
            tzinfo=UTC,
        )
    except ValueError as error:
        raise CellError(f"is no time: {error}") from None
    ms = int(moment.timestamp()) * 1000 + int(fraction)
    offset = parts["offset"]
    return Wall(ms if offset is None else ms - _offset_ms(offset), offset is not None)


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise CellError("is no time: with AM or PM hours go from 1 to 12")
    return hour % 12 + (12 if half in "pP" else 0)


def _offset_ms(text: str) -> int:
    if text[0] not in "+-":
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    ms = (hours * 60 + minutes) * 60_000
    return -ms if text[0] == "-" else ms


def _of_datetime(moment: datetime) -> Wall:
    """Return a date of JSON, which is in UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Wall((moment - _EPOCH) // _MILLISECOND, True)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def _counted(name: str, factor: float, offset: float, is_utc: bool) -> Read:
    """Return a reader of counts since some day; only those from 2000 to 2100 can be meant."""

    def read(cell: Cell) -> Wall:
        if isinstance(cell, datetime):
            return _of_datetime(cell)
        try:
            number = float(cell) if isinstance(cell, str | int | float) else float("nan")
        except (ValueError, OverflowError):
            number = float("nan")
        ms = (number - offset) * factor
        if isinstance(cell, bool) or not MIN_TS_MS <= ms < MAX_TS_MS:
            raise CellError(f"is no time such as {FORMATS[name].example}, from 2000 to 2100")
        return Wall(round(ms), is_utc)

    return read


FORMATS: Final[dict[str, TimeFormat]] = {
    each.name: each
    for each in (
        TimeFormat("ymd", "2026-05-01 13:30:00", _calendar("ymd")),
        TimeFormat("dmy", "31.12.2026 13:30:00", _calendar("dmy")),
        TimeFormat("mdy", "12/31/2026 1:30 PM", _calendar("mdy")),
        TimeFormat("names", "31 Dec 2026 13:30", _calendar("names")),
        TimeFormat("unix", "1777642200", _counted("unix", 1000, 0, True)),
        TimeFormat("unix-ms", "1777642200000", _counted("unix-ms", 1, 0, True)),
        TimeFormat(
            *("spreadsheet", "46143.5625"),
            _counted("spreadsheet", MS_PER_DAY, SPREADSHEET_EPOCH_DAYS, False),
        ),
    )
}
"""Formats that have a name. Only ``spreadsheet`` (days since 1899-12-30) counts local time."""


def time_format(text: str) -> TimeFormat:
    """Return the format that `--time-format` names, or spells.

    A name of `FORMATS`; the directives of strptime (``%d.%m.%y %H:%M``); or an
    example in the manner of Go (``2006/01/02 15:04``) or of spreadsheets
    (``dd/MM/yyyy HH:mm``).

    Raises:
        TimeFormatError: It is none of these.
    """
    if text in FORMATS:
        return FORMATS[text]
    if "%" in text:
        return _strptime(text)
    layout = text if "06" in text else layouts.from_microsoft(text)
    elements = layouts.elements_of(layout)[1::2]
    if not {"2006", "06"}.intersection(elements):
        raise TimeFormatError(
            f"time format {text[:40]!r} is not understood",
            hint=f"one of {', '.join(FORMATS)}, or a pattern: '%d.%m.%Y %H:%M', "
            "'dd.MM.yyyy HH:mm', or an example of 2 January 2006, 15:04:05",
        )
    if "MST" in elements:
        raise TimeFormatError(
            "names of zones (MST, CET) are ambiguous, so times cannot be read by them",
            hint="say which zone is meant: --time-zone America/Denver",
        )
    return _layout(text, layout, elements)


def _layout(text: str, layout: str, elements: Sequence[str]) -> TimeFormat:
    milliseconds = layouts.layout_of(layout).milliseconds
    has_offset = any(each[0] in "-Z" and each[1:3] == "07" for each in elements)

    def read(cell: Cell) -> Wall:
        if isinstance(cell, datetime):
            return _of_datetime(cell)
        try:
            return Wall(milliseconds(str(cell).strip()), has_offset)
        except LayoutMismatchError:
            raise CellError(f"is no time in the format {text}") from None

    return TimeFormat(text, text, read)


def _strptime(pattern: str) -> TimeFormat:
    def read(cell: Cell) -> Wall:
        if isinstance(cell, datetime):
            return _of_datetime(cell)
        try:
            moment = datetime.strptime(str(cell).strip(), pattern)  # noqa: DTZ007  zones come later
        except ValueError:
            raise CellError(f"is no time in the format {pattern}") from None
        return Wall(_of_datetime(moment).ms, moment.tzinfo is not None)

    sample = datetime(2006, 1, 2, 15, 4, 5, tzinfo=UTC)
    try:
        datetime.strptime(sample.strftime(pattern), pattern)  # noqa: DTZ007  only tried
    except (ValueError, re.error) as error:
        raise TimeFormatError(f"time format {pattern[:40]!r} is wrong: {error}") from None
    return TimeFormat(pattern, sample.strftime(pattern), read)


def guess_format(cells: Iterable[Cell], column: str) -> TimeFormat:
    """Return the one named format that fits all samples.

    Args:
        cells: Samples.
        column: Their column, for messages.

    Raises:
        TimeFormatError: None fits, or day and month cannot be told apart.
    """
    samples = [cell for cell in cells if cell not in (None, "")]
    fitting = [each for each in FORMATS.values() if samples and _fits(each, samples)]
    if not fitting:
        bad = _odd_one(samples)
        raise TimeFormatError(
            f"how times are written in column {column!r} cannot be told"
            + (f" from {str(bad)[:40]!r}" if samples else ": it is empty"),
            hint="say it: --time-format '%d.%m.%Y %H:%M', or another --time-field",
        )
    if len(fitting) > 1 and not any(isinstance(cell, datetime) for cell in samples):
        words = " or ".join(each.name for each in fitting)
        raise TimeFormatError(
            f"times in column {column!r} such as {str(samples[0])[:40]!r} can be read as {words}",
            hint=f"say which: {' or '.join('--time-format ' + each.name for each in fitting)}",
        )
    return fitting[0]


def _fits(form: TimeFormat, samples: Sequence[Cell]) -> bool:
    try:
        for cell in samples:
            form.read(cell)
    except CellError:
        return False
    return True


def _odd_one(samples: Sequence[Cell]) -> Cell:
    """Return the first sample that ends what all formats before it had in common."""
    left = list(FORMATS.values())
    for cell in samples:
        left = [each for each in left if _fits(each, [cell])]
        if not left:
            return cell
    return samples[0] if samples else None
