"""From a sensor to the members of a reading, in whole numbers (milli-degrees, microvolts).

TMP36 data sheet: 10 mV/°C, 500 mV at 0 °C, -40 to 125 °C.
"""

from array import array
from micropython import const

_MIN_MC = const(-40_000)
_MAX_MC = const(125_000)


def open_sensors(settings, board):
    """Return the sensors, opened, in order."""
    sensors = []
    for index, setting in enumerate(settings):
        suffix = "_%d" % (index + 1) if index else ""
        if setting["kind"] == "tmp36":
            sensors.append(Tmp36(setting, board.adc(setting), "raw" + suffix))
        else:
            from .dht import Dht

            sensors.append(Dht(setting, board.dht(setting), "humidity" + suffix))
    return sensors


class Tmp36:
    """An analogue temperature sensor behind an ADC port.

    The port has ``start()``, called once a measurement, ``read()``, which
    returns counts and microvolts, and ``top``, its highest count.

    Attributes:
        name: Its metric.
    """

    def __init__(self, setting, port, raw_name):
        self.name = setting["name"]
        self._raw_name = raw_name
        self._setting = setting
        self._port = port
        self._samples = setting.get("samples", 16)
        self._raw = array("H", range(self._samples))
        self._uv = array("i", self._raw)

    def measure(self):
        """Return the members as JSON text and "", or None and the name of a fault."""
        self._port.start()
        raw, uv = self._median()
        if raw <= 0 or raw >= self._port.top:
            return None, "rail"
        if self._setting.get("formula") == "tmp36-tutorial":
            mc = tutorial_mc(raw)
        else:
            mc = tmp36_mc(uv)
        if not _MIN_MC <= mc <= _MAX_MC:
            return None, "range"
        mc = calibrated_mc(mc, self._setting)
        return '"%s":%s,"%s":%d' % (self.name, decimal(mc), self._raw_name, raw), ""

    def _median(self):
        # Insertion sort while sampling, on buffers that stay.
        raws = self._raw
        uvs = self._uv
        for i in range(self._samples):
            raw, uv = self._port.read()
            while i and uvs[i - 1] > uv:
                uvs[i] = uvs[i - 1]
                raws[i] = raws[i - 1]
                i -= 1
            uvs[i] = uv
            raws[i] = raw
        middle = self._samples // 2
        return raws[middle], uvs[middle]


def tmp36_mc(uv):
    """Convert microvolts to milli-degrees."""
    return (uv - 500_000) // 10


def tutorial_mc(raw):
    """Convert counts as tutorials do (``raw / 10``): wrong away from 25 °C, see the README."""
    return raw * 100


def calibrated_mc(mc, setting):
    """Correct by two points [[measured, true], [measured, true]] and an offset, in milli-degrees."""
    if points := setting.get("points"):
        (m1, t1), (m2, t2) = points
        mc = t1 + (mc - m1) * (t2 - t1) // (m2 - m1)
    return mc + setting.get("offset_mc", 0)


def decimal(mc):
    """Write milli-degrees as a decimal with one or two places: ``23.5``, ``-0.06``."""
    hundredths = (abs(mc) + 5) // 10
    text = "%d.%02d" % (hundredths // 100, hundredths % 100)
    if text[-1] == "0":
        text = text[:-1]
    return "-" + text if mc < 0 and hundredths else text
