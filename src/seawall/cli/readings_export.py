"""``seawall export --readings``: readings of a device to a table."""

from __future__ import annotations

from typing import Final

from seawall.cli.exit_codes import ExitCode
from seawall.cli.flags import Line
from seawall.cli.moments import parse_moment
from seawall.cli.opening import opened
from seawall.cli.readings_flags import EXPORT_READINGS_FLAGS, check_fitting, state_of
from seawall.cli.tool_log import ToolLog
from seawall.model.history import ReadingQuery
from seawall.model.ids import check_metric
from seawall.operations.export_documents import counted, opened_output
from seawall.operations.export_readings import ReadingsExport, export_readings
from seawall.transfer.export.options import CSV, JSON, ExportOptions
from seawall.transfer.failures import OptionError

FITTING: Final = frozenset(
    {"readings", "verbose", "quiet", "type", "csv", "out", "jsonArray", "noHeaderLine"}
    | {"jsonFormat"}
    | {flag.name for flag in EXPORT_READINGS_FLAGS}
)


def run_readings_export(line: Line, asked: ExportOptions, log: ToolLog) -> int:
    """Run one export; return its exit status.

    Raises:
        OptionError: A flag does not go with another.
        SeawallError: It ended early.
    """
    check_fitting(line, FITTING, "readings")
    kind = asked.output.type
    if kind not in {CSV, JSON}:
        raise OptionError(f"invalid output type '{kind}', choose 'json' or 'csv'")
    metrics = tuple(check_metric(each) for each in line.take("metric", ()))
    with opened(state_of(line)) as installation:
        now_ms = installation.now_ms()
        since, until = line.take("since", None), line.take("until", None)
        query = ReadingQuery(
            device_id=line.take("device", None),
            since_ms=None if since is None else parse_moment(since, now_ms),
            until_ms=None if until is None else parse_moment(until, now_ms),
        )
        order = ReadingsExport(
            query,
            metrics,
            csv=kind == CSV,
            array=asked.output.json_array,
            header=not asked.output.no_header_line,
        )
        with opened_output(asked.output.out) as file:
            count = export_readings(installation.store, order, file.write)
    log.line(counted(count))
    return ExitCode.OK
