"""The hardware port on a computer: sensors play what files say."""

from binascii import unhexlify


def wire(sensor, setting, config):
    """Give a sensor its port."""
    if setting["kind"] == "tmp36":
        from .fakes import fake_adc

        bits = setting["bits"] or 12
        sensor.top = top = (1 << bits) - 1
        sensor.read = fake_adc(
            config.get("adc_file", "adc.txt"),
            top,
            top + (bits < 16),
            setting["full_scale_uv"] or 3_300_000,
        )
    else:
        sensor.read = _fake_dht(open(config.get("dht_file", "dht.txt")))


def _fake_dht(f):
    # Plays five bytes in hex: a line a measurement; `-` is silence.
    def read():
        line = f.readline()
        if not line:
            f.seek(0)
            line = f.readline()
        if line.strip() in ("-", ""):
            raise OSError(110)
        return unhexlify(line.strip())

    return read
