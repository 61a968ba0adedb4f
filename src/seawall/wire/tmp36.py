"""From the counts of a board's ADC to a temperature, for the TMP36 sensor.

Analog Devices TMP36 data sheet: 10 mV/°C, 500 mV at 0 °C, -40 to 125 °C. Whole
numbers only, so that server and agent agree to the last digit (``vectors/tmp36.json``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIN_MC: Final = -40_000
MAX_MC: Final = 125_000


@dataclass(frozen=True, slots=True)
class Converter:
    """An ADC: ``microvolts = raw * full_scale_uv // divisor``.

    Attributes:
        full_scale_uv: Voltage at ``divisor`` counts, in microvolts.
        divisor: Counts for full scale.
        top: The highest count that it can return: at or above it, and at 0, the
            input is at a rail, which is a fault and not a reading.
    """

    full_scale_uv: int
    divisor: int
    top: int

    def microvolts(self, raw: int) -> int:
        """Convert counts to microvolts."""
        return raw * self.full_scale_uv // self.divisor

    def at_rail(self, raw: int) -> bool:
        """Whether the input is at one of the rails: shorted, open, or saturated."""
        return raw <= 0 or raw >= self.top


NODEMCU: Final = Converter(3_200_000, 1024, 1023)
"""ESP8266 on a NodeMCU: its divider of 220k and 100k makes 3.2 V full scale."""
ESP8266: Final = Converter(1_000_000, 1024, 1023)
"""A bare ESP8266: 1.0 V full scale, so that it saturates at 50 °C."""
RP2: Final = Converter(3_300_000, 65_535, 65_535)
"""RP2040 and RP2350, ``ADC.read_u16()``."""


def temperature_mc(microvolts: int) -> int:
    """Return the temperature in thousandths of a degree Celsius."""
    return (microvolts - 500_000) // 10


def temperature_tutorial_mc(raw: int) -> int:
    """Return what the tutorial formula ``raw / 10`` gives, in thousandths of a degree.

    Right near 25 °C on a NodeMCU, 16 °C off at 0 °C.
    """
    return raw * 100


def temperature_mf(temperature_mc_: int) -> int:
    """Return thousandths of a degree Fahrenheit for thousandths of a degree Celsius."""
    return temperature_mc_ * 9 // 5 + 32_000


def is_in_range(temperature_mc_: int) -> bool:
    """Whether the sensor can measure this; anything else is a fault."""
    return MIN_MC <= temperature_mc_ <= MAX_MC
