"""An ADC on a computer."""


def fake_adc(path, top, full_scale_uv):
    """Play microvolts from a file: a line a measurement, over and over.

    A generator: send it the number of the sample, it yields counts and
    microvolts. The file is read as it goes, so that a long one takes no memory.
    """
    f = open(path)
    value = None
    scale = top + (top < 65_535)
    while True:
        i = yield value
        if i == 0:
            uv = int(f.readline() or f.seek(0) or f.readline())
            value = min(max(uv * scale // full_scale_uv, 0), top), uv
