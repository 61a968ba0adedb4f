"""From a sensor to the members of a reading, in whole numbers (milli-degrees, microvolts).

TMP36 data sheet: 10 mV/°C, 500 mV at 0 °C, -40 to 125 °C.
"""


class Tmp36:
    """An analogue temperature sensor behind an ADC port; see sensing.py.

    Attributes:
        name: For people.
        fault: What was wrong with the last measurement, or "".
        read: The port: the number of the sample (from 0) to counts and microvolts.
        top: Its highest count.
        format: Of the members: temperature, counts.
        convert: Microvolts and counts to milli-degrees; None: as the data sheet says.
        correct: Measured milli-degrees to true ones; None: as measured.
        raws, uvs: Arrays as long as there are to be samples.
    """

    def measure(self):
        """Return the members as JSON text, or None: see `fault`."""
        # The median: insertion sort by voltage while sampling, on buffers that stay.
        raws = self.raws
        uvs = self.uvs
        n = len(uvs)
        try:
            for i in range(n):
                raw, uv = self.read(i)
                while i and uvs[i - 1] > uv:
                    uvs[i] = uvs[i - 1]
                    raws[i] = raws[i - 1]
                    i -= 1
                uvs[i] = uv
                raws[i] = raw
        except Exception:
            self.fault = "unreadable"
            return None
        raw = raws[n // 2]
        uv = uvs[n // 2]
        mc = self.convert(uv, raw) if self.convert else (uv - 500_000) // 10
        if not 0 < raw < self.top:
            self.fault = "rail"
        elif not -40_000 <= mc <= 125_000:
            self.fault = "range"
        else:
            self.fault = ""
            return self.format % (decimal(self.correct(mc) if self.correct else mc), raw)


def decimal(mc):
    """Write thousandths with two decimals, correctly rounded: ``23.50``, ``-0.06``."""
    n = (abs(mc) + 5) // 10
    return "%s%d.%02d" % ("-" if mc < 0 and n else "", n // 100, n % 100)
