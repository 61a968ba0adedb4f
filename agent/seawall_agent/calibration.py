"""For sensors that need more than the data sheet's formula."""


def tutorial_mc(uv, raw):
    """Convert counts as tutorials do (``raw / 10``): wrong away from 25 °C, see the README."""
    return raw * 100


def correction(points, offset_mc):
    """Return what corrects milli-degrees.

    Args:
        points: [[measured, true], [measured, true]], or [].
        offset_mc: To add.
    """
    (m1, t1), (m2, t2) = points or ((0, 0), (1, 1))
    return lambda mc: t1 + (mc - m1) * (t2 - t1) // (m2 - m1) + offset_mc
