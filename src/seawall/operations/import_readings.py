"""Brings old readings into the store: from rows of a table to readings of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from seawall.devices.lifecycle import NewDevice
from seawall.errors import KeyAccessError, NotFoundError, StoreError
from seawall.model.device import Device
from seawall.model.history import ReadingQuery
from seawall.model.ids import check_device_id
from seawall.model.reading import Batch, Reading
from seawall.operations.add_device import add_device
from seawall.operations.disable_device import disable_device
from seawall.operations.installation import Installation
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.readings.identity import numbered
from seawall.transfer.readings.mapping import NewReading, RefusedRow, Row, Wanted, understand
from seawall.transfer.readings.rows import Table

SAMPLE_ROWS: Final = 200
"""Formats and metrics are guessed from so many rows."""
BATCH_ROWS: Final = 2_000
SHOWN_ROWS: Final = 10
ATTEMPTS: Final = 5
"""Times that a batch is numbered anew because another process wrote the same moments."""


@dataclass
class ImportedReadings:
    """What became of the rows so far; exact at any time, after an error too.

    Attributes:
        notes: What was understood of the table, and what was guessed.
        rows: Rows that were looked at.
        new: Readings that the store did not have.
        known: Rows that say what the store had already.
        empty: Rows in which nothing was measured.
        refused: Rows that cannot be readings.
        first_refused: The first of them.
        first_readings: What the first rows say, new or known.
        added: Devices that were registered.
        repeated_hours: Rows in an hour that clocks showed twice.
    """

    notes: list[str] = field(default_factory=list)
    rows: int = 0
    new: int = 0
    known: int = 0
    empty: int = 0
    refused: int = 0
    first_refused: list[RefusedRow] = field(default_factory=list)
    first_readings: list[NewReading] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    repeated_hours: int = 0

    def refuse(self, row: RefusedRow) -> None:
        """Count a refused row, and keep the first ones."""
        self.refused += 1
        if len(self.first_refused) < SHOWN_ROWS:
            self.first_refused.append(row)


Told = Callable[[ImportedReadings], None]


@dataclass(frozen=True)
class ReadingsOrder:
    """What is asked for.

    Args:
        wanted: What is known of the table.
        add_devices: Register devices of `--device-field` that are not there, and the one
            of `--device` even if the name of another differs in punctuation alone.
        dry_run: Look, and write nothing.
    """

    wanted: Wanted
    add_devices: bool = False
    dry_run: bool = False


def import_readings(
    installation: Installation,
    table: Table,
    order: ReadingsOrder,
    result: ImportedReadings,
    *,
    understood: Told = lambda _result: None,
    progressed: Told = lambda _result: None,
) -> None:
    """Import rows, batch by batch; what was imported before is not imported again.

    A device that is not registered yet is added, and disabled: nothing can
    connect as it until a person enables it. Replay windows stay as they are.

    Args:
        installation: Where to.
        table: What is imported.
        order: How.
        result: Takes the counts.
        understood: Is called once it is clear how rows become readings.
        progressed: Is called after each batch.

    Raises:
        UsageError: A column, format, zone, unit or name does not fit.
        NotFoundError: The device is not there, but one whose name differs in punctuation.
        NothingMeasuredError: No column holds numbers.
        TransferFailedError: The input cannot be read further; all rows before are in.
        StoreError: The store failed; the batches before are in.
    """
    if order.wanted.device is not None:
        check_device_id(order.wanted.device)
    rows = table.rows()
    samples, failure = _samples(table, rows)
    if not samples:
        return
    mapping = understand(order.wanted, table.columns, samples)
    result.notes += mapping.notes
    run = _Run(installation, order, result)
    run.check_device()
    understood(result)
    batch: list[NewReading] = []
    try:
        for row in _all(samples, rows, failure):
            result.rows += 1
            found = mapping.reading(row)
            result.repeated_hours = mapping.repeated_hours
            if found is None:
                result.empty += 1
            elif isinstance(found, RefusedRow):
                result.refuse(found)
            elif run.is_welcome(found, row.place):
                batch.append(found)
            if len(batch) >= BATCH_ROWS:
                full, batch = batch, []
                run.write(full)
                progressed(result)
    finally:
        # Whatever ends the input early: rows before it are in, and counted.
        run.write(batch)
        run.finish()


def _samples(table: Table, rows: Iterator[Row]) -> tuple[list[Row], TransferFailedError | None]:
    """Return the first rows, and what ended them early."""
    samples: list[Row] = []
    try:
        for row in islice(rows, SAMPLE_ROWS):
            samples.append(row)
    except TransferFailedError as error:
        if not samples:
            raise
        return samples, error
    return samples, None


def _all(
    samples: list[Row], rows: Iterator[Row], failure: TransferFailedError | None
) -> Iterator[Row]:
    yield from samples
    if failure is not None:
        raise failure
    yield from rows


class _Run:
    """One import under way."""

    def __init__(
        self, installation: Installation, order: ReadingsOrder, result: ImportedReadings
    ) -> None:
        self._installation, self._order, self._result = installation, order, result
        self._devices: dict[str, bool] = {}
        self._counts: dict[str, int] = {}

    def check_device(self) -> None:
        """Refuse a device that is not there, if it looks like a slip."""
        name = self._order.wanted.device
        store = self._installation.store
        if name is None or self._order.add_devices or store.device(name) is not None:
            return
        plain = _plain(name)
        near = (each.device_id for each in store.devices() if _plain(each.device_id) == plain)
        if other := next(near, None):
            raise NotFoundError(
                f"there is no device {name}, but there is {other}",
                reference="device-not-found",
                hint=f"did you mean {other}? If not: --add-device",
            )
        self._devices[name] = False

    def is_welcome(self, reading: NewReading, place: str) -> bool:
        """Tell whether a reading's device is there, or may be added; refuse the row if not."""
        name = reading.device_id
        if name not in self._devices:
            known = self._installation.store.device(name) is not None
            if not known and not self._order.add_devices:
                field_name = self._order.wanted.device_field or ""
                why = "is no device here; 'seawall device add' or --add-device makes it one"
                self._result.refuse(RefusedRow(place, field_name, name, why))
                return False
            self._devices[name] = known
        return True

    def write(self, batch: list[NewReading]) -> None:
        """Write the readings of a batch that are not there."""
        if not batch:
            return
        of_device: dict[str, list[NewReading]] = {}
        for each in batch:
            of_device.setdefault(each.device_id, []).append(each)
        for name in of_device:
            self._add(name)
        self._result.first_readings += batch[: SHOWN_ROWS - len(self._result.first_readings)]
        written = self._append(of_device)
        self._result.new += written
        self._result.known += len(batch) - written

    def _append(self, of_device: dict[str, list[NewReading]]) -> int:
        store = self._installation.store
        written = 0
        for _ in range(ATTEMPTS):
            readings = [
                each for name, new in of_device.items() for each in self._numbered(name, new)
            ]
            if not readings or self._order.dry_run:
                return len(readings)
            fresh = store.append(Batch(readings=readings))
            written += fresh
            for each in readings:
                self._counts[each.device_id] = self._counts.get(each.device_id, 0) + 1
            if fresh == len(readings):
                return written
        raise StoreError(
            "another process imports readings of the same moments over and over",
            reference="import-contended",
            hint="run one import at a time",
        )

    def _numbered(self, name: str, new: list[NewReading]) -> list[Reading]:
        times = [each.ts_ms for each in new]
        query = ReadingQuery(name, since_ms=min(times), until_ms=max(times) + 1)
        stored = self._installation.store.readings(query)
        return numbered(new, stored, self._installation.now_ms())

    def _add(self, name: str) -> None:
        if self._devices.get(name, True):
            return
        self._devices[name] = True
        self._result.added.append(name)
        if not self._order.dry_run:
            add_source(self._installation, name)

    def finish(self) -> None:
        """Log what was brought in, for each device."""
        log = self._installation.store.log
        log(
            self._installation.event("readings-imported", name, readings=str(count))
            for name, count in self._counts.items()
        )


def _plain(name: str) -> str:
    """Return a name without what slips change: case and punctuation."""
    return "".join(filter(str.isalnum, name.lower()))


def add_source(installation: Installation, name: str) -> Device:
    """Register a device that has only a past: nothing may connect as it until it is enabled.

    Raises:
        KeyAccessError: The issuing key is encrypted; the hint says what to do.
        StoreError: The store failed.
    """
    try:
        add_device(installation, NewDevice(name, sensors=()))
    except KeyAccessError as error:
        hint = f"register it first: seawall device add {name}"
        raise KeyAccessError(error.message, reference=error.reference, hint=hint) from error
    return disable_device(installation, name)
