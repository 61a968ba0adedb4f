"""Real measured temperatures, as the microvolts that a TMP36 would give."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from seawall.errors import NotFoundError

_FILES: Final = (("sf-temps.csv", "temp"), ("ambient-temperature.csv", "value"))


def examples_path() -> Path:
    """Return the folder of example data: in the package, or in a checkout.

    Raises:
        NotFoundError: the installation has none.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_examples", package.parents[1] / "examples" / "data"):
        if folder.is_dir():
            return folder
    raise NotFoundError(
        "the example measurements are not part of this installation",
        hint="install Seawall from its wheel or run it from a checkout",
    )


def fahrenheit_to_tmp36_uv(temperature_f: float) -> int:
    """Return the output of a TMP36 in microvolts (datasheet: 10 mV/°C, 500 mV at 0 °C)."""
    return round((temperature_f - 32) * 5 / 9 * 10_000) + 500_000


def read_series() -> list[list[int]]:
    """Return the example series, one list of microvolts for each file, an hour a value."""
    folder = examples_path()
    series = []
    for name, column in _FILES:
        with (folder / name).open(newline="", encoding="utf-8") as file:
            series.append(
                [fahrenheit_to_tmp36_uv(float(row[column])) for row in csv.DictReader(file)]
            )
    return series


def series_for(index: int, series: Sequence[Sequence[int]]) -> list[int]:
    """Return the values that the device number ``index`` (from 0) plays.

    Devices take turns between the files and begin at different hours.
    """
    values = series[index % len(series)]
    start = index * 997 % len(values)
    return [*values[start:], *values[:start]]
