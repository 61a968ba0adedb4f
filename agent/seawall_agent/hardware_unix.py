"""The hardware port on a computer: sensors play what files say."""

from binascii import unhexlify


def board(config):
    """Return None: the host has no network, clock or light that is ours to switch."""


def adc(setting, config):
    """Return an ADC, and its highest count."""
    from .fakes import fake_adc

    bits = setting["bits"] or 12
    top = (1 << bits) - 1
    return (
        fake_adc(
            config.get("adc_file", "adc.txt"),
            top,
            top + (bits < 16),
            setting["full_scale_uv"] or 3_300_000,
        ),
        top,
    )


def dht(setting, config):
    """Return a DHT that plays five bytes in hex: a line a measurement; ``-`` is silence."""
    f = open(config.get("dht_file", "dht.txt"))

    def data():
        line = f.readline()
        if not line:
            f.seek(0)
            line = f.readline()
        if line.strip() in ("-", ""):
            raise OSError(110)
        return unhexlify(line.strip())

    return data
