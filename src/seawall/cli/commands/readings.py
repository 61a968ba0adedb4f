"""``seawall readings``: shows stored readings."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import click

from seawall.cli.moments import iso_utc, parse_moment, shown_utc
from seawall.cli.opening import opened
from seawall.cli.output import print_table, say
from seawall.cli.plots import plot, sparkline
from seawall.cli.state import json_option, state_option
from seawall.model.history import ReadingQuery
from seawall.model.reading import Reading
from seawall.operations.list_readings import list_readings
from seawall.web.units import primary_metric, unit_of

_SHOWN: Final = 20
_PLOT_LINES: Final = 8
_MOST_PLOTTED: Final = 100_000


@click.command(
    name="readings",
    epilog="""\b
Examples:
  seawall readings
  seawall readings greenhouse-1 --since 2h
  seawall readings greenhouse-1 --metric temp --since 2026-05-01 --until 2026-05-02 --json
  seawall readings --last 1000 --json | jq '.[].metrics.temp'
""",
)
@click.argument("device", required=False)
@click.option("--metric", metavar="M", help="Only this metric, and readings that have it.")
@click.option(
    "--since",
    metavar="T",
    help="From this moment on: 15m, 2h, 3d ago, or ISO 8601 (UTC without a zone).",
)
@click.option("--until", metavar="T", help="Up to this moment, exclusive; as --since.")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Only the newest N. On a terminal {_SHOWN}, if nothing else limits the answer.",
)
@json_option
@state_option
def command(
    device: str | None,
    metric: str | None,
    since: str | None,
    until: str | None,
    last: int | None,
    as_json: bool,
    state: Path,
) -> None:
    """Show verified readings, by time of measurement, of one DEVICE or of all.

    With --json: one array of objects with device_id, ts, ts_ms, boot, seq,
    received_ms and metrics, a line each. On a terminal: a table, and for one
    device its course. On a pipe: tab-separated lines.
    """
    to_people = sys.stdout.isatty() and not as_json
    unlimited = last is None and since is None and until is None
    with opened(state) as installation:
        now_ms = installation.now_ms()
        query = ReadingQuery(
            device,
            metric,
            None if since is None else parse_moment(since, now_ms),
            None if until is None else parse_moment(until, now_ms),
            _SHOWN if to_people and unlimited else last,
        )
        readings = list_readings(installation.store, query)
        if as_json:
            _print_json(readings, metric)
        elif to_people:
            _show(list(readings), query)
            if unlimited:
                say(f"At most the newest {_SHOWN}; --last N or --since T shows more.")
        else:
            _print_lines(readings, metric)


def _metrics(reading: Reading, metric: str | None) -> dict[str, float]:
    metrics = reading.metrics
    return metrics if metric is None else {metric: metrics[metric]}


def _print_json(readings: Iterable[Reading], metric: str | None) -> None:
    import msgspec  # noqa: PLC0415  start-up time

    encode = msgspec.json.Encoder().encode
    separator = "[\n"
    for reading in readings:
        facts = {
            "device_id": reading.device_id,
            "ts": iso_utc(reading.ts_ms),
            "ts_ms": reading.ts_ms,
            "boot": reading.boot,
            "seq": reading.seq,
            "received_ms": reading.received_ms,
            "metrics": _metrics(reading, metric),
        }
        sys.stdout.write(separator + encode(facts).decode())
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _print_lines(readings: Iterable[Reading], metric: str | None) -> None:
    readings = iter(readings)
    first = next(readings, None)
    if first is None:
        say("No readings.")
        return
    sys.stdout.write("ts\tdevice\tboot\tseq\tmetrics\n")
    for reading in chain([first], readings):
        values = " ".join(f"{name}={value}" for name, value in _metrics(reading, metric).items())
        place = f"{reading.device_id}\t{reading.boot}\t{reading.seq}"
        sys.stdout.write(f"{iso_utc(reading.ts_ms)}\t{place}\t{values}\n")


def _show(readings: Sequence[Reading], query: ReadingQuery) -> None:
    """Print a table with a column for each metric, and draw one device's course."""
    kept = [_metrics(reading, query.metric) for reading in readings]
    names = sorted({name for metrics in kept for name in metrics})
    primary = primary_metric(names)
    names.sort(key=lambda name: (name != primary, name))
    print_table(
        ["time", "device", *names, "boot", "seq"],
        [
            (
                shown_utc(reading.ts_ms),
                reading.device_id,
                *(_cell(name, metrics.get(name)) for name in names),
                str(reading.boot),
                str(reading.seq),
            )
            for reading, metrics in zip(readings, kept, strict=True)
        ],
        empty="No readings.",
    )
    if query.device_id is not None and len(readings) > 1 and _can_draw():
        newest = list(zip(readings, kept, strict=True))[-_MOST_PLOTTED:]
        for name in names:
            points = [
                (reading.ts_ms, metrics[name]) for reading, metrics in newest if name in metrics
            ]
            _draw(name, points, tall=name == primary)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    unit = unit_of(name)
    return f"{value:g} {unit}" if unit else f"{value:.10g}"


def _can_draw() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _draw(name: str, points: list[tuple[int, float]], *, tall: bool) -> None:
    width = min(shutil.get_terminal_size().columns, 100) - 2
    values = [value for _, value in points]
    if tall:
        click.echo(f"  {name} {unit_of(name)}".rstrip())
        for line in plot(points, max(20, width), _PLOT_LINES):
            click.echo(f"  {line}")
        return
    ends = f"{min(values):.4g} to {max(values):.4g} {unit_of(name)}".rstrip()
    room = max(8, width - len(name) - len(ends) - 4)
    click.echo(f"  {name}  {sparkline(values, room)}  {ends}")
