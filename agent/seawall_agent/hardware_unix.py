"""The hardware port on a computer: sensors play what files say."""


def wire(sensor, setting, config):
    """Give a sensor its port."""
    if setting["kind"] == "tmp36":
        from .fakes import fake_adc

        bits = setting["bits"] or 12
        sensor.top = (1 << bits) - 1
        path = config.get("adc_file", "adc.txt")
        read = fake_adc(path, sensor.top, setting["full_scale_uv"] or 3_300_000)
    else:
        read = _fake_dht(config.get("dht_file", "dht.txt"))
    next(read)
    sensor.read = read.send


def _fake_dht(path):
    # Yields five bytes; in the file they are in hex, a line a measurement, and `-` is silence.
    f = open(path)
    data = None
    while True:
        yield data
        line = f.readline() or f.seek(0) or f.readline()
        data = bytes.fromhex(line.strip().replace("-", ""))
