"""An ADC on a computer."""


def fake_adc(path, top, scale, full_scale_uv):
    """Return an ADC that plays microvolts from a file: a line a measurement, over and over.

    The file is read as it goes, so that a long one takes no memory.
    """
    f = open(path)
    value = None

    def sample(i):
        nonlocal value
        if i == 0:
            line = f.readline()
            if not line:
                f.seek(0)
                line = f.readline()
            uv = int(line)
            value = min(max(uv * scale // full_scale_uv, 0), top), uv
        return value

    return sample
