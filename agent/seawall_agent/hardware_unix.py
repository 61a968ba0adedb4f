"""The hardware port on a computer: sensors play what files say."""


class Board:
    """A computer; there is nothing to switch on."""

    def __init__(self, config):
        self._config = config

    def adc(self, setting):
        """Return an ADC that plays ``adc.txt``."""
        return Adc(setting, setting.get("adc_file") or self._config.get("adc_file", "adc.txt"))

    def dht(self, setting):
        """Return a DHT that plays ``dht.txt``."""
        return Dht(setting.get("dht_file", "dht.txt"))

    async def connect_network(self, wifi):
        """The host is connected, or it is not."""

    def set_clock(self, utc_s):
        """The host's clock is not ours to set."""
        return False

    def identify(self):
        """There is no light; the log has a line."""

    def restart(self):
        """Return: the program starts over in the same process."""


class _Script:
    # Lines of a file, one a measurement, over and over; read as it goes, so that a long file
    # takes no memory and a changed one is noticed.
    def __init__(self, path):
        self._path = path
        self._f = None

    def next(self):
        for _ in range(2):
            if self._f is None:
                self._f = open(self._path)
            while line := self._f.readline():
                if line.strip() and line[0] != "#":
                    return line.strip()
            self._f.close()
            self._f = None
        raise OSError("%s is empty" % self._path)


class Adc:
    """Plays microvolts: a line a measurement."""

    def __init__(self, setting, path):
        bits = setting.get("bits", 12)
        self.top = (1 << bits) - 1
        self._divisor = 65_535 if bits == 16 else self.top + 1
        self._full_scale_uv = setting.get("full_scale_uv", 3_300_000)
        self._script = _Script(path)
        self._value = 0, 0

    def start(self):
        """Take the next line."""
        uv = int(self._script.next())
        raw = uv * self._divisor // self._full_scale_uv
        self._value = min(max(raw, 0), self.top), uv

    def read(self):
        """Return counts and microvolts."""
        return self._value


class Dht:
    """Plays five bytes in hex: a line a measurement; a line `-` is silence."""

    def __init__(self, path):
        self._script = _Script(path)

    def measure(self):
        """Return five bytes."""
        line = self._script.next()
        if line == "-":
            raise OSError(110)
        from binascii import unhexlify

        return unhexlify(line)
