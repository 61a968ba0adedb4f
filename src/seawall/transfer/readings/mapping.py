"""Rows to readings: what the command line says, and the samples tell, of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from seawall.errors import InvalidNameError
from seawall.model.ids import check_device_id
from seawall.model.reading import MAX_TS_MS, MIN_TS_MS
from seawall.transfer.readings.failures import (
    CellError,
    ColumnError,
    NothingMeasuredError,
)
from seawall.transfer.readings.metrics import (
    MetricColumn,
    check_differ,
    metric_of,
    numeric_columns,
)
from seawall.transfer.readings.times import TimeFormat, guess_format, time_format
from seawall.transfer.readings.units import Cell, Number
from seawall.transfer.readings.zones import UTC_ZONE, Zone, zone_of

TIME_NAMES: Final = ("time", "timestamp", "datetime", "date", "ts", "ts_ms", "when")
"""Headers of the column with the time, if `--time-field` is left out; the first that is there."""
SHOWN_CHARS: Final = 40


class Row(NamedTuple):
    """One row of a table.

    Attributes:
        place: Where it stands: ``line 12``, ``document 3``.
        cells: By column.
        surplus: What stands behind the last column; empty if nothing does.
    """

    place: str
    cells: Mapping[str, Cell]
    surplus: str = ""


class NewReading(NamedTuple):
    """What a row says, before it has a number.

    Attributes:
        device_id: Of the device that measured it.
        ts_ms: When, UTC milliseconds.
        metrics: At least one.
    """

    device_id: str
    ts_ms: int
    metrics: dict[str, Number]


class RefusedRow(NamedTuple):
    """A row that cannot be a reading. ``value`` is cut."""

    place: str
    column: str
    value: str
    why: str

    def __str__(self) -> str:
        where = f"{self.place}, column {self.column!r}" if self.column else self.place
        return f"{where}: {self.value!r} {self.why}"


@dataclass(frozen=True)
class Wanted:
    """What the command line says of a table; None for what it leaves out.

    Args:
        device: All rows are this device's.
        device_field: Or the column that names it.
        time_field: Column with the time; two, with a comma, for date and time of day.
        metrics: As typed: ``COLUMN[=NAME][:UNIT]``.
    """

    device: str | None = None
    device_field: str | None = None
    time_field: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    metrics: tuple[str, ...] = ()


@dataclass
class TableMapping:
    """How rows become readings.

    Attributes:
        repeated_hours: Rows so far in an hour that the clocks showed twice.
    """

    time_columns: tuple[str, ...]
    form: TimeFormat
    zone: Zone
    metrics: tuple[MetricColumn, ...]
    device: str | None
    device_field: str | None
    notes: list[str] = field(default_factory=list)
    repeated_hours: int = 0
    _before: dict[str, int] = field(default_factory=dict)
    _falling: set[str] = field(default_factory=set)

    def reading(self, row: Row) -> NewReading | RefusedRow | None:
        """Return what a row becomes; None if nothing was measured in it."""
        if row.surplus:
            shown = row.surplus[:SHOWN_CHARS]
            return RefusedRow(row.place, "", shown, "stands behind the last column")
        column = self.device_field or ""
        try:
            device_id = self._device_of(row)
            column = self.time_columns[0]
            wall = self.form.read(self._time_cell(row))
            ts_ms = wall.ms if wall.is_utc else self._moment(device_id, wall.ms)
            if not MIN_TS_MS <= ts_ms < MAX_TS_MS:
                raise CellError("lies outside the years 2000 to 2099")
            metrics: dict[str, Number] = {}
            for metric in self.metrics:
                column = metric.column
                value = metric.value(row.cells.get(column))
                if value is not None:
                    metrics[metric.name] = value
        except CellError as error:
            value_shown = str(row.cells.get(column, ""))[:SHOWN_CHARS]
            return RefusedRow(row.place, column, value_shown, str(error))
        self._remember(device_id, ts_ms)
        return NewReading(device_id, ts_ms, metrics) if metrics else None

    def _device_of(self, row: Row) -> str:
        if self.device_field is None:
            assert self.device is not None  # noqa: S101  one of both is given
            return self.device
        name = str(row.cells.get(self.device_field, "")).strip()
        try:
            return check_device_id(name)
        except InvalidNameError as error:
            raise CellError(f"names no device: {error.message}") from None

    def _time_cell(self, row: Row) -> Cell:
        first, *others = self.time_columns
        cell = row.cells.get(first)
        if others and not isinstance(cell, datetime):
            cell = " ".join(str(row.cells.get(each, "")).strip() for each in self.time_columns)
        return cell.strip() if isinstance(cell, str) else cell

    def _moment(self, device_id: str, wall_ms: int) -> int:
        """Return when a clock showed this; of an hour shown twice, what goes on from before.

        Tables may have their newest row first: times that have been falling go on falling.
        """
        moments = self.zone.moments(wall_ms)
        if not moments:
            raise CellError(
                f"never was: clocks in {self.zone.name} were put forward over it; "
                "is this the right --time-zone?"
            )
        if len(moments) > 1:
            self.repeated_hours += 1
            first, second = moments
            before = self._before.get(device_id, -1)
            falls_on = device_id in self._falling and before <= second
            return second if before >= first and not falls_on else first
        return moments[0]

    def _remember(self, device_id: str, ts_ms: int) -> None:
        before = self._before.get(device_id, ts_ms)
        if ts_ms < before:
            self._falling.add(device_id)
        elif ts_ms > before:
            self._falling.discard(device_id)
        self._before[device_id] = ts_ms


def understand(wanted: Wanted, columns: Sequence[str], samples: Sequence[Row]) -> TableMapping:
    """Return how the rows of a table become readings, guessing what was not said.

    Args:
        wanted: What was said.
        columns: Of the table, in order.
        samples: Its first rows.

    Raises:
        ColumnError: A named column is not there.
        TimeFormatError: How times are written cannot be told.
        MetricError: A metric does not fit.
        NothingMeasuredError: No column holds numbers.
    """
    rows = [row.cells for row in samples]
    if wanted.device_field is not None:
        _check_column(wanted.device_field, columns)
    notes: list[str] = []
    time_columns = _time_columns(wanted.time_field, columns)
    cells = [" ".join(str(row.get(each, "")).strip() for each in time_columns) for row in rows]
    plain = [row.get(time_columns[0]) for row in rows] if len(time_columns) == 1 else cells
    form = _format(wanted, time_columns, plain, notes)
    zone = _zone(wanted, form, plain, notes)
    besides = frozenset({*time_columns, wanted.device_field or ""})
    metrics = [metric_of(each, columns) for each in wanted.metrics]
    metrics = metrics or numeric_columns(columns, rows, besides)
    if not metrics:
        raise NothingMeasuredError(
            "no column holds numbers alone",
            hint="name them: --metric COLUMN; rows where it holds no number are then refused",
        )
    check_differ(metrics)
    notes += [f"metric: {each.words}" for each in metrics]
    return TableMapping(
        time_columns, form, zone, tuple(metrics), wanted.device, wanted.device_field, notes
    )


def _check_column(name: str, columns: Sequence[str]) -> str:
    if name not in columns:
        raise ColumnError(
            f"there is no column {name[:40]!r}",
            reference="no-such-column",
            hint=f"columns: {', '.join(map(repr, columns[:20]))}",
        )
    return name


def _time_columns(wanted: str | None, columns: Sequence[str]) -> tuple[str, ...]:
    if wanted is None:
        lowered = {column.strip().lower(): column for column in reversed(columns)}
        found = next((lowered[name] for name in TIME_NAMES if name in lowered), None)
        if found is None:
            raise ColumnError(
                f"no column is called {', '.join(TIME_NAMES[:4])}",
                reference="no-time-column",
                hint=f"say which holds the time: --time-field; columns: {', '.join(columns[:20])}",
            )
        return (found,)
    if wanted in columns:
        return (wanted,)
    return tuple(_check_column(each, columns) for each in wanted.split(","))


def _format(
    wanted: Wanted, columns: Sequence[str], cells: Sequence[Cell], notes: list[str]
) -> TimeFormat:
    name = ", ".join(columns)
    if wanted.time_format is not None:
        form = time_format(wanted.time_format)
        notes.append(f"time: column {name!r}, format {form.name}")
        return form
    form = guess_format(cells, name)
    how = "guessed; --time-format says otherwise"
    notes.append(f"time: column {name!r}, format {form.name} as in {form.example!r} ({how})")
    return form


def _zone(wanted: Wanted, form: TimeFormat, cells: Sequence[Cell], notes: list[str]) -> Zone:
    if wanted.time_zone is not None:
        zone = zone_of(wanted.time_zone)
        notes.append(f"zone: {zone.name}, for times that name none")
        return zone
    named = [_is_utc(form, cell) for cell in cells]
    if True in named and False not in named:
        notes.append("zone: each time names its own")
    else:
        notes.append(
            "zone: UTC (guessed, as none is named; --time-zone Europe/Berlin says otherwise)"
        )
    return UTC_ZONE


def _is_utc(form: TimeFormat, cell: Cell) -> bool | None:
    """Tell whether a time names its zone; None if it is no time."""
    try:
        return form.read(cell).is_utc
    except CellError:
        return None
