"""Units of columns: what is converted, and by which formula."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from seawall.transfer.readings.failures import CellError, MetricError

Cell = str | int | float | bool | datetime | None | object
"""Of a text file: text. Of JSON: whatever stands there."""
Number = int | float

ABSENT: Final = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--"})
"""What loggers and spreadsheets write where nothing was measured; in any case of letters."""
LARGEST_WHOLE: Final = 2**53 - 1
KEPT_DECIMALS: Final = 3
"""Converted values are rounded to thousandths, or to as many decimals as their cell has."""

_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"[+-]?\d{1,16}", re.ASCII)
_COMMA: Final = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_HEADER_UNIT: Final = re.compile(
    r"\s*[(\[]\s*(?P<inside>[^()\[\]]*)\s*[)\]]\s*\Z|(?P<bare>°[CF])\Z"
)


@dataclass(frozen=True)
class Unit:
    """A unit that a column may have.

    Args:
        name: As it is shown.
        convert: To what is stored; None: stored as it is.
        stored: Unit of what is stored.
        formula: What is done, in words.
        low: The least value that can be, in this unit.
        high: The greatest.
    """

    name: str
    stored: str
    convert: Callable[[float], float] | None = None
    formula: str = ""
    low: float = -math.inf
    high: float = math.inf


UNITS: Final[dict[str, Unit]] = {
    "degC": Unit("°C", "°C", low=-273.15),
    "degF": Unit(
        "°F", "°C", lambda value: (value - 32) * 5 / 9, "°F to °C: (value - 32) * 5/9", low=-459.67
    ),
    "K": Unit("K", "°C", lambda value: value - 273.15, "K to °C: value - 273.15", low=0),
    "mV": Unit(
        *("mV", "°C", lambda value: (value - 500) / 10),
        *("mV of a TMP36 to °C: (value - 500) / 10", 100, 1750),
    ),
    "%": Unit("%", "%"),
    "hPa": Unit("hPa", "hPa"),
    "V": Unit("V", "V"),
}
"""By the name that `--metric` takes. A TMP36 gives 10 mV/°C and 500 mV at 0 °C, from -40 to
125 °C (Analog Devices, TMP35/36/37 data sheet); what lies outside is a fault, no reading."""
_ALIASES: Final = {
    **dict.fromkeys(("°C", "C", "degc", "celsius", "Celsius"), "degC"),
    **dict.fromkeys(("°F", "F", "degf", "fahrenheit", "Fahrenheit"), "degF"),
    **dict.fromkeys(("kelvin", "Kelvin"), "K"),
    **dict.fromkeys(("mv",), "mV"),
    **dict.fromkeys(("mbar",), "hPa"),
}


def unit_of(text: str) -> Unit:
    """Return the unit that a text names.

    Raises:
        MetricError: It names none.
    """
    unit = UNITS.get(_ALIASES.get(text, text))
    if unit is None:
        raise MetricError(
            f"unit {text[:20]!r} is not known", hint=f"known units: {', '.join(UNITS)}"
        )
    return unit


def is_unit(text: str) -> bool:
    """Tell whether a text names a unit."""
    return _ALIASES.get(text, text) in UNITS


def split_header(header: str) -> tuple[str, Unit | None]:
    """Return a header without the unit that it ends with, and that unit: ``Temp (°F)``."""
    found = _HEADER_UNIT.search(header)
    text = (found["inside"] or found["bare"] or "").strip() if found else ""
    if not found or not is_unit(text):
        return header, None
    return header[: found.start()].strip(), unit_of(text)


def number_of(cell: Cell) -> Number | None:
    """Return the number in a cell, None if nothing was measured.

    Raises:
        CellError: It is no number.
    """
    if isinstance(cell, str):
        return _number_in(cell.strip())
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise CellError("is no number")
    if isinstance(cell, float) and math.isnan(cell):
        return None
    return _checked(cell)


def _number_in(text: str) -> Number | None:
    if _WHOLE.fullmatch(text):
        return _checked(int(text))
    if _NUMBER.fullmatch(text):
        return _checked(float(text))
    if text.lower() in ABSENT:
        return None
    if _COMMA.fullmatch(text):
        raise CellError("is no number: a point, not a comma, stands before decimals")
    raise CellError("is no number")


def _checked(number: Number) -> Number:
    if isinstance(number, int):
        # Beyond, JSON readers do not agree on whole numbers.
        return int(number) if abs(number) <= LARGEST_WHOLE else float(number)
    if math.isinf(number):
        raise CellError("is beyond the numbers that can be stored")
    return number


def converted(number: Number, cell: Cell, unit: Unit | None) -> Number:
    """Return what is stored of a number.

    Raises:
        CellError: It cannot be, in its unit.
    """
    if unit is None:
        return number
    if not unit.low <= number <= unit.high:
        raise CellError(f"cannot be in {unit.name}: {_range(unit)}")
    if unit.convert is None:
        return number
    return round(unit.convert(number), max(KEPT_DECIMALS, _decimals(cell)))


def _range(unit: Unit) -> str:
    if math.isinf(unit.high):
        return f"not below {unit.low:g}"
    return f"{unit.low:g} to {unit.high:g}"


def _decimals(cell: Cell) -> int:
    text = str(cell).strip().lower()
    mantissa, _, exponent = text.partition("e")
    decimals = len(mantissa.partition(".")[2])
    return max(0, decimals - int(exponent)) if exponent else decimals
