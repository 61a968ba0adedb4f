"""Series drawn with characters, for those who would rather look than read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BARS: Final = "▁▂▃▄▅▆▇█"
_DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a Braille cell, by row and column (Unicode block U+2800)."""


def sparkline(values: Sequence[float], width: int) -> str:
    """Return values as one line of bars, the mean of each where they are too many.

    Args:
        values: In order of time.
        width: At most so many characters.
    """
    if not values or width < 1:
        return ""
    columns = min(width, len(values))
    means = []
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        means.append(sum(part) / len(part))
    low, high = min(means), max(means)
    if low == high:
        return _BARS[3] * columns
    return "".join(_BARS[int((mean - low) / (high - low) * 7.999)] for mean in means)


def plot(points: Sequence[tuple[int, float]], width: int, height: int) -> list[str]:
    """Return a series as lines of Braille dots, with its greatest and least value beside it.

    Times without readings stay empty: a gap is seen as a gap.

    Args:
        points: Time in milliseconds and value, in order of time; at least one.
        width: Characters in all, scale included; at least 20.
        height: Lines.
    """
    low = min(value for _, value in points)
    high = max(value for _, value in points)
    start, end = points[0][0], points[-1][0]
    scale = [f"{high:.4g}", f"{low:.4g}"]
    margin = max(map(len, scale)) + 1
    columns, rows = (width - margin) * 2, height * 4
    cells = [[0] * (width - margin) for _ in range(height)]
    for at_ms, value in points:
        column = (at_ms - start) * (columns - 1) // max(1, end - start)
        share = (high - value) / (high - low) if high > low else 0.5
        row = min(rows - 1, int(share * rows))
        cells[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
    labels = [scale[0], *[""] * (height - 2), scale[1]]
    return [
        f"{label:>{margin - 1}} " + "".join(chr(0x2800 + cell) for cell in line)
        for label, line in zip(labels, cells, strict=True)
    ]
