"""What a device measures with: specifications such as ``tmp36:0``, and the ADC of each board."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from seawall.errors import UsageError
from seawall.model.device import Board, Sensor

_PIN: Final = re.compile(r"[A-Za-z0-9_]{1,8}\Z")

MAX_SENSORS: Final = 8

TMP36: Final = "tmp36"
TMP36_TUTORIAL: Final = "tmp36-tutorial"
DHT11: Final = "dht11"
DHT22: Final = "dht22"
KINDS: Final = (TMP36, TMP36_TUTORIAL, DHT11, DHT22)

_ANALOG_KINDS: Final = frozenset({TMP36, TMP36_TUTORIAL})


@dataclass(frozen=True, slots=True)
class AnalogInput:
    """How a board's ADC counts.

    Attributes:
        full_scale_uv: Microvolts at full scale.
        bits: Width of its counts.
    """

    full_scale_uv: int
    bits: int


_ANALOG: Final = {
    # A file of microvolts stands for the voltage; raw counts as a NodeMCU's.
    Board.UNIX: AnalogInput(3_200_000, 10),
    # NodeMCU: 220k and 100k divide 3.2 V to the 1.0 V that the ESP8266 bears.
    Board.ESP8266: AnalogInput(3_200_000, 10),
    # `ADC.read_uv()` is calibrated in the factory; this only marks the rail.
    Board.ESP32: AnalogInput(3_300_000, 12),
    # `ADC.read_u16()`, whatever the converter's own width.
    Board.RP2: AnalogInput(3_300_000, 16),
}


def parse_sensor(text: str) -> Sensor:
    """Take a specification ``KIND:PIN`` apart.

    Raises:
        UsageError: the kind is not known, or the pin is none.
    """
    kind, colon, pin = text.partition(":")
    if kind not in KINDS:
        raise UsageError(
            f"sensor {text[:40]!r} is of no known kind",
            reference="unknown-sensor",
            hint=f"KIND:PIN, where KIND is one of {', '.join(KINDS)}",
        )
    if not colon or _PIN.match(pin) is None:
        raise UsageError(
            f"sensor {text[:40]!r} names no pin",
            reference="bad-sensor-pin",
            hint=f"for example {kind}:0 (letters, digits and '_', at most 8)",
        )
    return Sensor(kind, pin)


def check_sensors(sensors: tuple[Sensor, ...], board: Board) -> None:
    """Check that sensors can be on one board.

    Raises:
        UsageError: there are too many, two share a pin, or the board has no such pin.
    """
    if len(sensors) > MAX_SENSORS:
        raise UsageError(f"{len(sensors)} sensors; at most {MAX_SENSORS} fit")
    pins = [sensor.pin for sensor in sensors]
    for pin in pins:
        if pins.count(pin) > 1:
            raise UsageError(f"two sensors on pin {pin}", reference="bad-sensor-pin")
    analog = [sensor for sensor in sensors if sensor.kind in _ANALOG_KINDS]
    if board is Board.ESP8266 and any(sensor.pin != "0" for sensor in analog):
        raise UsageError(
            "an ESP8266 has one analog input, 0",
            reference="bad-sensor-pin",
            hint="write tmp36:0",
        )


def sensor_configurations(sensors: tuple[Sensor, ...], board: Board) -> list[dict[str, Any]]:
    """Return the member ``sensors`` of a bundle's config.json."""
    analog = _ANALOG[board]
    configurations: list[dict[str, Any]] = []
    for number, sensor in enumerate(sensors, start=1):
        name = "temp" if number == 1 else f"temp_{number}"
        configuration: dict[str, Any] = {"kind": sensor.kind, "pin": sensor.pin, "name": name}
        if sensor.kind in _ANALOG_KINDS:
            configuration |= {
                "kind": TMP36,
                "formula": sensor.kind,
                "samples": 16,
                "full_scale_uv": analog.full_scale_uv,
                "bits": analog.bits,
            }
        configurations.append(configuration)
    return configurations
