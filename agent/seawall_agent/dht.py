"""DHT11 and DHT22 (AM2302): temperature and humidity in five bytes, the last a check sum."""

from .sensors import calibrated_mc, decimal


class Dht:
    """The port has ``measure()``, which returns the five bytes, or raises OSError."""

    def __init__(self, setting, port, humidity_name):
        self.name = setting["name"]
        self._humidity_name = humidity_name
        self._setting = setting
        self._port = port

    def measure(self):
        """Return the members as JSON text and "", or None and the name of a fault."""
        try:
            data = self._port.measure()
        except OSError:
            return None, "silent"
        if len(data) != 5 or sum(data[:4]) & 255 != data[4]:
            return None, "check-sum"
        mc, humidity = decode(self._setting["kind"], data)
        if not -40_000 <= mc <= 80_000 or humidity > 100_000:
            return None, "range"
        mc = calibrated_mc(mc, self._setting)
        return '"%s":%s,"%s":%s' % (
            self.name,
            decimal(mc),
            self._humidity_name,
            decimal(humidity),
        ), ""


def decode(kind, data):
    """Return milli-degrees and thousandths of a percent."""
    if kind == "dht11":
        mc = data[2] * 1000 + (data[3] & 127) * 100
        humidity = data[0] * 1000 + data[1] * 100
    else:
        mc = ((data[2] & 127) << 8 | data[3]) * 100
        humidity = (data[0] << 8 | data[1]) * 100
    return -mc if (data[3] if kind == "dht11" else data[2]) & 128 else mc, humidity
