"""Which columns become metrics: ``COLUMN[=NAME][:UNIT]``, or all that hold numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.errors import InvalidNameError
from seawall.model.ids import MAX_METRIC_CHARS, check_metric
from seawall.model.reading import RESERVED_MEMBERS
from seawall.transfer.readings.failures import CellError, ColumnError, MetricError
from seawall.transfer.readings.units import (
    Cell,
    Number,
    Unit,
    converted,
    is_unit,
    number_of,
    split_header,
    unit_of,
)

MAX_METRICS: Final = 61
"""A body has at most 64 members; three of them are ``boot``, ``seq`` and ``ts``."""
NOT_MEASURED: Final = RESERVED_MEMBERS | {"received_ms", "ts_ms"}
"""Numbers that exports of readings hold beside the metrics."""


@dataclass(frozen=True)
class MetricColumn:
    """A column, and the metric that it becomes.

    Args:
        column: Its header.
        name: Of the metric.
        unit: What the column is in; None if that is not known.
    """

    column: str
    name: str
    unit: Unit | None = None

    def value(self, cell: Cell) -> Number | None:
        """Return what is stored of a cell, None if nothing was measured.

        Raises:
            CellError: It is no number, or cannot be in its unit.
        """
        number = number_of(cell)
        return None if number is None else converted(number, cell, self.unit)

    @property
    def words(self) -> str:
        """What happens to it, for people."""
        text = f"{self.name} from column {self.column!r}"
        if self.unit is None:
            return text
        if self.unit.convert is None:
            return f"{text}, in {self.unit.name}"
        return f"{text}, converted from {self.unit.formula}"


def metric_of(text: str, columns: Sequence[str]) -> MetricColumn:
    """Return the metric that `--metric` describes: ``COLUMN[=NAME][:UNIT]``.

    Columns whose names have ``=`` or ``:`` of their own are found as well.

    Raises:
        ColumnError: There is no such column.
        MetricError: The name or the unit cannot be.
    """
    rest, unit = text, None
    head, colon, tail = text.rpartition(":")
    if colon and head and text not in columns:
        if not is_unit(tail) and head.partition("=")[0] in columns:
            unit_of(tail)  # raises
        if is_unit(tail):
            rest, unit = head, unit_of(tail)
    if rest in columns:
        stem, of_header = split_header(rest)
        return MetricColumn(rest, _given_or_made(rest, stem), unit or of_header)
    column, equals, name = rest.rpartition("=")
    if equals and column in columns:
        return MetricColumn(column, _checked_name(name), unit or split_header(column)[1])
    wanted = column or rest
    raise ColumnError(
        f"there is no column {wanted[:40]!r}",
        reference="no-such-column",
        hint=f"columns: {', '.join(map(repr, columns[:20]))}",
    )


def _given_or_made(column: str, stem: str) -> str:
    name = made_name(stem)
    if name is None:
        raise MetricError(
            f"column {column[:40]!r} cannot be the name of a metric",
            hint=f"give it one: --metric '{column}=temp'",
        )
    return name


def _checked_name(name: str) -> str:
    try:
        check_metric(name)
    except InvalidNameError as error:
        raise MetricError(error.message, hint=error.hint) from None
    if name in RESERVED_MEMBERS:
        raise MetricError(f"{name!r} is reserved, and cannot be the name of a metric")
    return name


def made_name(header: str) -> str | None:
    """Return a metric's name made of a header: letters, digits and ``_``; None if none is left."""
    words = re.sub(r"[^A-Za-z0-9_.-]+", "_", header.strip()).strip("_.-")
    name = words[:MAX_METRIC_CHARS].rstrip("_.-")
    try:
        return None if name in RESERVED_MEMBERS else check_metric(name)
    except InvalidNameError:
        return None


def numeric_columns(
    columns: Sequence[str], samples: Sequence[Mapping[str, Cell]], besides: frozenset[str]
) -> list[MetricColumn]:
    """Return a metric for each column that holds numbers alone, as far as the samples show.

    Args:
        columns: All columns, in order.
        samples: Rows.
        besides: Columns that are something else: time, device.
    """
    found: list[MetricColumn] = []
    for column in columns:
        stem, unit = split_header(column)
        name = made_name(stem)
        if column in besides or column in NOT_MEASURED or name is None:
            continue
        if _is_numeric([row.get(column) for row in samples]):
            found.append(MetricColumn(column, name, unit))
    return found


def _is_numeric(cells: Sequence[Cell]) -> bool:
    numbers = 0
    for cell in cells:
        try:
            numbers += number_of(cell) is not None
        except CellError:
            return False
    return numbers > 0


def check_differ(metrics: Sequence[MetricColumn]) -> None:
    """Check that names differ, and are not too many.

    Raises:
        MetricError: Two columns want one name, or there are more than a reading holds.
    """
    seen: dict[str, str] = {}
    for each in metrics:
        if each.name in seen:
            raise MetricError(
                f"columns {seen[each.name]!r} and {each.column!r} both become {each.name!r}",
                hint=f"name one of them: --metric '{each.column}=other'",
            )
        seen[each.name] = each.column
    if len(metrics) > MAX_METRICS:
        raise MetricError(
            f"{len(metrics)} columns hold numbers, a reading holds {MAX_METRICS} metrics",
            hint="choose with --metric",
        )
