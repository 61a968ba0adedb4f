"""``seawall import --as-readings``: rows of a table to readings of a device."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Final

from seawall.cli.exit_codes import ExitCode
from seawall.cli.flags import Line
from seawall.cli.moments import iso_utc
from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_table, say
from seawall.cli.readings_flags import IMPORT_READINGS_FLAGS, check_fitting, state_of
from seawall.cli.tool_log import ToolLog
from seawall.errors import SeawallError
from seawall.operations.import_readings import (
    SHOWN_ROWS,
    ImportedReadings,
    ReadingsOrder,
    import_readings,
)
from seawall.transfer.documents import header_of
from seawall.transfer.failures import OptionError, SettingsError
from seawall.transfer.options import JSON, ImportOptions, InputOptions
from seawall.transfer.progress import Progress
from seawall.transfer.readings.mapping import RefusedRow, Wanted
from seawall.transfer.readings.rows import Table
from seawall.transfer.sources import Source
from seawall.transfer.validation import validated

FITTING: Final = frozenset(
    {"as-readings", "verbose", "quiet", "file", "files", "type", "headerline", "fields"}
    | {"fieldFile", "jsonArray", "legacy", "delimiter", "quote", "skip-bad-rows"}
    | {flag.name for flag in IMPORT_READINGS_FLAGS}
)


def run_readings_import(line: Line, asked: ImportOptions, log: ToolLog) -> int:
    """Run one import; return its exit status.

    Raises:
        OptionError: A flag is missing, or does not go with another.
        SeawallError: It ended early; what was imported before was said.
    """
    check_fitting(line, FITTING, "as-readings")
    wanted = _wanted(line)
    given = _validated(asked)
    result = ImportedReadings()
    order = ReadingsOrder(wanted, line.take("add-device", False), line.take("dry-run", False))
    tell = (lambda _text: None) if asked.quiet else say
    as_json = line.take("json", False)
    source = Source(given.files)

    def left_out(text: str, why: str) -> None:
        result.rows += 1
        result.refuse(RefusedRow("a record", "", text[:40], why))

    names = None if given.type == JSON else header_of(given)
    table = Table(
        source.inputs(),
        given,
        None if names is None else [column.name for column in names],
        None if given.skip_bad_rows is None else left_out,
    )

    def understood(found: ImportedReadings) -> None:
        for note in found.notes:
            tell(note)

    try:
        with opened(state_of(line)) as installation, _progress(source, result, log, wanted):
            import_readings(installation, table, order, result, understood=understood)
    except (SeawallError, KeyboardInterrupt) as error:
        if result.rows or isinstance(error, KeyboardInterrupt):
            _report(result, order, tell, as_json)
        raise
    if order.dry_run and not as_json:
        _show(result)
    _report(result, order, tell, as_json)
    return ExitCode.FAILED if result.refused else ExitCode.OK


def _wanted(line: Line) -> Wanted:
    device, device_field = line.take("device", None), line.take("device-field", None)
    if (device is None) == (device_field is None):
        raise OptionError(
            "--as-readings needs either --device or --device-field",
            hint="--device NAME if all rows are of one device; --device-field COLUMN if a "
            "column names it",
        )
    return Wanted(
        device=device,
        device_field=device_field,
        time_field=line.take("time-field", None),
        time_format=line.take("time-format", None),
        time_zone=line.take("time-zone", None),
        metrics=tuple(line.take("metric", ())),
    )


def _validated(asked: ImportOptions) -> InputOptions:
    """Return the input's options, if they go together; there is no collection to be checked."""
    try:
        some = dataclasses.replace(asked, database="readings", collection="readings")
        return validated(some, lambda _text: None).input
    except SettingsError as error:
        raise OptionError(error.message, hint=error.hint) from None


@contextlib.contextmanager
def _progress(
    source: Source, result: ImportedReadings, log: ToolLog, wanted: Wanted
) -> Iterator[None]:
    name = wanted.device or "readings"
    draw = log.draw if log.draws else None
    rows = lambda: result.rows  # noqa: E731  a counter, read from another thread
    with Progress(name, lambda: source.bytes_read, source.size, rows, log.line, draw):
        yield


def _show(result: ImportedReadings) -> None:
    names = list(dict.fromkeys(name for each in result.first_readings for name in each.metrics))
    print_table(
        ["time", "device", *names],
        [
            (
                iso_utc(each.ts_ms),
                each.device_id,
                *(str(each.metrics.get(name, "")) for name in names),
            )
            for each in result.first_readings
        ],
        empty="No row becomes a reading.",
    )


def _report(
    result: ImportedReadings, order: ReadingsOrder, tell: Callable[[str], None], as_json: bool
) -> None:
    _say_result(result, order, tell)
    if as_json:
        emit_json(_result_json(result, order))


def _result_json(result: ImportedReadings, order: ReadingsOrder) -> dict[str, object]:
    """Return the counts, and the devices that were registered (or would be, in a dry run)."""
    return {
        "dry_run": order.dry_run,
        "rows": result.rows,
        "new": result.new,
        "known": result.known,
        "refused": result.refused,
        "empty": result.empty,
        "registered": [{"device": name, "status": "disabled"} for name in result.added],
        "notes": result.notes,
        "first_refused": [str(each) for each in result.first_refused],
        "first_readings": [
            {"ts": iso_utc(each.ts_ms), "device": each.device_id, "metrics": dict(each.metrics)}
            for each in result.first_readings
        ],
    }


def _say_result(
    result: ImportedReadings, order: ReadingsOrder, tell: Callable[[str], None]
) -> None:
    dry = order.dry_run
    for name in result.added:
        what = "would be registered" if dry else "is new: registered"
        tell(
            f"device {name} {what}, disabled: nothing can connect as it until "
            f"'seawall device enable {name}'"
        )
    if result.repeated_hours:
        tell(
            f"{result.repeated_hours} rows lie in an hour that clocks showed twice; "
            "their order tells the first from the second"
        )
    for refused in result.first_refused:
        tell(f"refused: {refused}")
    if result.refused > SHOWN_ROWS:
        tell(f"refused: {result.refused - SHOWN_ROWS} more")
    written = "would be new" if dry else "new"
    tell(
        f"{result.rows} rows: {result.new} readings {written}, {result.known} already there, "
        f"{result.refused} refused, {result.empty} without a value."
    )
    if dry:
        tell("Nothing was written: --dry-run.")
