"""Readings to tables that `import --as-readings` takes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from seawall.model.reading import Reading
from seawall.store.series import metrics_of
from seawall.transfer.export.spelling import iso_milliseconds
from seawall.transfer.export.writing import csv_cell

TIME, DEVICE = "time", "device"
_encode: Final = msgspec.json.Encoder().encode
Write = Callable[[bytes], object]


class ReadingsCsv:
    """Writes a row a reading: time, device, then a column for each metric.

    Args:
        write: Takes the bytes.
        metrics: The columns.
        header: Begin with a line of names.
    """

    def __init__(self, write: Write, metrics: Sequence[str], *, header: bool = True) -> None:
        self._write = write
        self._metrics = metrics
        self._header = header

    def begin(self) -> None:
        """Write the names."""
        if self._header:
            self._write(",".join([TIME, DEVICE, *self._metrics]).encode() + b"\n")

    def reading(self, reading: Reading) -> None:
        """Write one row; a metric that it does not have leaves its cell empty."""
        known = metrics_of(reading.body)
        values = [repr(known[name]) if name in known else "" for name in self._metrics]
        cells = [iso_milliseconds(reading.ts_ms), csv_cell(reading.device_id), *values]
        self._write(",".join(cells).encode() + b"\n")

    def end(self) -> None:
        """Write nothing."""


class ReadingsJson:
    """Writes an object a line, or one array: time, device, then the metrics as members.

    Args:
        write: Takes the bytes.
        metrics: Only these; None for all.
        array: One JSON array.
    """

    def __init__(self, write: Write, metrics: Sequence[str] | None, *, array: bool = False) -> None:
        self._write = write
        self._metrics = metrics
        self._array = array
        self._between = b"["

    def begin(self) -> None:
        """Write nothing."""

    def reading(self, reading: Reading) -> None:
        """Write one object."""
        known = metrics_of(reading.body)
        if self._metrics is not None:
            known = {name: known[name] for name in self._metrics if name in known}
        facts = {TIME: iso_milliseconds(reading.ts_ms), DEVICE: reading.device_id, **known}
        if self._array:
            self._write(self._between + b"\n" + _encode(facts))
            self._between = b","
        else:
            self._write(_encode(facts) + b"\n")

    def end(self) -> None:
        """Write the brackets."""
        if self._array:
            self._write(b"[]\n" if self._between == b"[" else b"\n]\n")
