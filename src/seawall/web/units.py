"""Which metrics are temperatures, which units metrics have, which one a device is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_UNITS: Final = (
    ("temp", "°C"),
    ("humidity", "%"),
    ("hum", "%"),
    ("rh", "%"),
    ("pressure", "hPa"),
    ("battery_v", "V"),
    ("volt", "V"),
)


def is_temperature(metric: str) -> bool:
    """Tell whether a metric is a temperature in °C: ``temp``, ``temp_2``, ``temperature``."""
    return metric.lower().startswith("temp")


def unit_of(metric: str) -> str:
    """Return the unit of a metric, or an empty text if its name tells none."""
    name = metric.lower()
    return next((unit for prefix, unit in _UNITS if name.startswith(prefix)), "")


def primary_metric(metrics: Iterable[str]) -> str | None:
    """Return the metric that stands for the device: ``temp`` first, raw counts last."""
    names = sorted(metrics)
    if not names:
        return None

    def rank(name: str) -> tuple[int, str]:
        if name == "temp":
            return 0, name
        if is_temperature(name):
            return 1, name
        return (3 if name.startswith("raw") else 2), name

    return min(names, key=rank)
