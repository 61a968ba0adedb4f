"""DHT11 and DHT22 (AM2302): temperature and humidity in five bytes, the last a check sum."""

from .sensors import decimal


class Dht:
    """A sensor.

    Attributes:
        read: The port: the number of the sample (0) to five bytes; raises, or returns none, if silent.
        kind: ``dht11`` or ``dht22``.
        name, fault, format, correct: As of `sensors.Tmp36`; the second member is the humidity.
    """

    def measure(self):
        """Return the members as JSON text, or None: see ``fault``."""
        try:
            data = self.read(0)
            mc, humidity = decode(self.kind, data)
            if sum(data[:4]) & 255 != data[4]:
                raise ValueError
        except Exception:  # drivers raise a bare one for the check sum
            self.fault = "unreadable"
            return None
        self.fault = ""
        if not -40_000 <= mc <= 80_000 or humidity > 100_000:
            self.fault = "range"
        else:
            return self.format % (decimal(self.correct(mc) if self.correct else mc), decimal(humidity))


def decode(kind, data):
    """Return milli-degrees and thousandths of a percent (data sheets of Aosong)."""
    wet, wet_low, warm, warm_low, _ = data
    if kind == "dht11":
        mc = warm * 1000 + (warm_low & 127) * 100
        return -mc if warm_low & 128 else mc, wet * 1000 + wet_low * 100
    mc = ((warm & 127) << 8 | warm_low) * 100
    return -mc if warm & 128 else mc, (wet << 8 | wet_low) * 100


def dht(setting):
    """Return a Dht that is not wired yet."""
    made = Dht()
    made.format = '"%s":%%s,"humidity%s":%%s'
    made.kind = setting["kind"]
    return made
