"""The flags by which `import` and `export` turn to Seawall's own store, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.cli.flags import BOOL, MANY, Flag, Line
from seawall.transfer.failures import OptionError

READINGS: Final = "readings"

_STATE: Final = Flag(
    "state",
    group=READINGS,
    help="state directory of the installation (environment: SEAWALL_STATE)",
    value="<directory>",
)

IMPORT_READINGS_FLAGS: Final = (
    Flag(
        "as-readings",
        "",
        BOOL,
        READINGS,
        "import into Seawall's own store: measurements of devices instead of documents",
    ),
    Flag("device", group=READINGS, help="the device that measured all of it", value="<name>"),
    Flag("device-field", group=READINGS, help="or the column that names it", value="<column>"),
    Flag(
        "add-device",
        "",
        BOOL,
        READINGS,
        "register the devices of --device-field that are not there, disabled",
    ),
    Flag(
        "time-field",
        group=READINGS,
        help="column with the time; two, with a comma, for date and time of day",
        value="<column>",
    ),
    Flag(
        "time-format",
        group=READINGS,
        help="ymd, dmy, mdy, names, unix, unix-ms, spreadsheet, or a pattern: '%d.%m.%Y %H:%M'; "
        "guessed and shown if it is left out",
        value="<format>",
    ),
    Flag(
        "time-zone",
        group=READINGS,
        help="of times that name none: Europe/Berlin, UTC, +02:00; UTC if it is left out",
        value="<zone>",
    ),
    Flag(
        "metric",
        kind=MANY,
        group=READINGS,
        help="column to import, its name as a metric, its unit; degF, K and mV (of a TMP36) "
        "become degrees Celsius; may be repeated; all columns of numbers if it is left out",
        value="<column>[=<name>][:<unit>]",
    ),
    Flag("dry-run", "", BOOL, READINGS, "show what the first rows would become; write nothing"),
    Flag("json", "", BOOL, READINGS, "print what became of the rows as JSON"),
    _STATE,
)

EXPORT_READINGS_FLAGS: Final = (
    Flag(
        "readings",
        "",
        BOOL,
        READINGS,
        "export from Seawall's own store: readings of devices instead of documents",
    ),
    Flag("device", group=READINGS, help="of this device; of all without it", value="<name>"),
    Flag("metric", kind=MANY, group=READINGS, help="only this metric; repeatable", value="<name>"),
    Flag(
        "since",
        group=READINGS,
        help="from this moment on: 2h, 3d ago, or 2026-05-01T12:00",
        value="<time>",
    ),
    Flag("until", group=READINGS, help="up to this moment, exclusive; as --since", value="<time>"),
    _STATE,
)


def asks_for_readings(line: Line, name: str, flags: Sequence[Flag]) -> bool:
    """Tell whether the line is about Seawall's own store, and nobody asks for help only.

    Args:
        line: The line.
        name: Of the flag that says so.
        flags: Those that need it.

    Raises:
        OptionError: A flag stands there that needs it, and it does not.
    """
    if line.take("help", False) or line.take("version", False):
        return False
    if line.take(name, False):
        return True
    lone = next((each.name for each in flags if each.name in line.values), None)
    if lone is not None:
        raise OptionError(f"--{lone} is about Seawall's own store, which needs --{name}")
    return False


def check_fitting(line: Line, fitting: frozenset[str], name: str) -> None:
    """Check that no flag stands there that has no meaning beside ``--name``.

    Raises:
        OptionError: One does.
    """
    given = (key for key, value in line.values.items() if value not in ("", None, False))
    odd = next((key for key in given if key not in fitting), None)
    if odd is not None:
        raise OptionError(f"--{odd} is about MongoDB, and has no meaning with --{name}")


def state_of(line: Line) -> Path:
    """Return the state directory that the line names, or the usual one."""
    from seawall.cli.state import default_state  # noqa: PLC0415  it loads click

    text = line.take("state", "") or os.environ.get("SEAWALL_STATE", "")
    return Path(text) if text else default_state()
