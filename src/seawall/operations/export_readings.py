"""Exports stored readings as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from seawall.model.history import ReadingQuery
from seawall.model.reading import Reading
from seawall.operations.list_readings import list_readings
from seawall.store.contract import Store
from seawall.store.series import metrics_of
from seawall.transfer.readings.writing import ReadingsCsv, ReadingsJson, Write


@dataclass(frozen=True)
class ReadingsExport:
    """What is asked for.

    Args:
        query: Which readings.
        metrics: Only these; none for all.
        csv: A table with a column for each metric; else JSON.
        array: JSON as one array.
        header: CSV with a line of names.
    """

    query: ReadingQuery
    metrics: tuple[str, ...] = ()
    csv: bool = True
    array: bool = False
    header: bool = True


def export_readings(
    store: Store,
    asked: ReadingsExport,
    write: Write,
    progressed: Callable[[int], None] = lambda _count: None,
) -> int:
    """Write readings in order of time; return how many.

    A CSV of all metrics reads twice: once for the names of the columns. A metric
    that is sent for the first time meanwhile is not in it.

    Args:
        store: Where from.
        asked: What.
        write: Takes the bytes.
        progressed: Is told the count after each reading.

    Raises:
        InvalidNameError: The device id or a metric cannot be one.
        NotFoundError: There is no such device.
        UsageError: The range of time is empty.
        StoreError: The store failed.
    """
    metrics: Sequence[str] | None = asked.metrics or None
    if asked.csv and metrics is None:
        metrics = _all_metrics(list_readings(store, asked.query))
    writer = (
        ReadingsCsv(write, metrics or (), header=asked.header)
        if asked.csv
        else ReadingsJson(write, metrics, array=asked.array)
    )
    writer.begin()
    count = 0
    for reading in _having(list_readings(store, asked.query), metrics):
        writer.reading(reading)
        count += 1
        progressed(count)
    writer.end()
    return count


def _all_metrics(readings: Iterator[Reading]) -> list[str]:
    names: dict[str, None] = {}
    for reading in readings:
        names |= dict.fromkeys(metrics_of(reading.body))
    return list(names)


def _having(readings: Iterator[Reading], metrics: Sequence[str] | None) -> Iterator[Reading]:
    """Leave out readings that have none of the metrics."""
    if metrics is None:
        return readings
    wanted = frozenset(metrics)
    return (each for each in readings if not wanted.isdisjoint(metrics_of(each.body)))
