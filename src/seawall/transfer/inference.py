"""Types of a whole column at a time; every doubtful cell goes to `cells`, which decides.

The bytes of a column are mapped to classes in one pass, the classes of a cell are
or-ed together, and that says for nearly every cell what it is: digits alone, digits
and a point, or something that no number has. Only what passed this is handed to
Arrow's parsers, which accept less than `cells` does of it, and never more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seawall.transfer import cells
from seawall.transfer.segments import (
    Array,
    Fixed,
    Segment,
    Varying,
    binary_array,
    bytes_of,
    constant,
    joined,
    numbers,
    offsets_of,
)

DIGIT, SIGN, LEADING_SIGN, POINT, EXPONENT, ODD, OTHER = 1, 2, 4, 8, 16, 32, 64
LONGEST_INTEGER: Final = 18
"""Digits that always fit 64 bits."""
IS_STRING, IS_INTEGER, IS_FLOAT, IS_ODD = 0, 1, 2, 3


def _class_table() -> bytes:
    table = bytearray([OTHER]) * 256
    for characters, value in (("0123456789", DIGIT), ("+-", SIGN), (".", POINT), ("eE", EXPONENT)):
        for each in characters.encode():
            table[each] = value
    for each in b"_xXpPaAbBcCdDfFiInNtTyY":
        table[each] = ODD
    return bytes(table)


CLASSES: Final = _class_table()
STARTS: Final = np.isin(np.arange(256), np.frombuffer(b"0123456789+-.iInN", np.uint8))

Part = tuple[Array, int | Array, pa.BinaryArray]
"""Rows, their type byte (or one each), and their values."""


def floats_of(values: pa.StringArray) -> Array | None:
    """Return finite doubles, None if one cell is none that Arrow can read."""
    try:
        parsed = pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers_: Array = parsed.to_numpy(zero_copy_only=False)
    return numbers_ if np.isfinite(numbers_).all() else None


def integers_of(values: pa.StringArray) -> Array | None:
    """Return 64-bit integers, None if one cell is none that Arrow can read."""
    try:
        found: Array = pc.cast(values, pa.int64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    return found


def kinds_of(values: pa.StringArray) -> Array:
    """Return for each cell what it can be: `IS_STRING`, `IS_INTEGER`, `IS_FLOAT` or `IS_ODD`."""
    offsets = offsets_of(values)
    kinds = np.zeros(len(values), np.uint8)
    filled = np.flatnonzero(offsets[1:] > offsets[:-1])
    if not len(filled):
        return kinds
    starts = offsets[filled]
    data = bytes_of(values)
    candidates = STARTS[data[starts]]
    if not candidates.any():
        return kinds
    base, end = int(starts[0]), int(offsets[-1])
    classes = np.frombuffer(bytearray(data[base:end]).translate(CLASSES), np.uint8)
    firsts = starts - base
    leading = firsts[classes[firsts] == SIGN]
    classes[leading] = LEADING_SIGN
    masks = np.bitwise_or.reduceat(classes, firsts)
    lengths = (offsets[1:] - offsets[:-1])[filled]
    has_digit = (masks & DIGIT) != 0
    plain = candidates & has_digit & ((masks & (OTHER | ODD)) == 0)
    integer = plain & ((masks & (SIGN | POINT | EXPONENT)) == 0)
    floating = plain & ((masks & (POINT | EXPONENT)) != 0)
    floating &= ((masks & SIGN) == 0) | ((masks & EXPONENT) != 0)
    found = np.zeros(len(filled), np.uint8)
    found[integer & (lengths <= LONGEST_INTEGER)] = IS_INTEGER
    found[integer & (lengths > LONGEST_INTEGER)] = IS_ODD
    found[floating] = IS_FLOAT
    found[candidates & ((masks & ODD) != 0) & ((masks & OTHER) == 0)] = IS_ODD
    if floating.any() and b"." in data[base:end]:
        points = np.add.reduceat((classes == POINT).astype(np.uint16), firsts)
        found[floating & (points > 1)] = IS_STRING
    kinds[filled] = found
    return kinds


def inferred(header: Callable[[int], bytes], values: pa.StringArray) -> list[Segment]:
    """Return a column of untyped cells.

    Args:
        header: Makes type byte and name of a type.
        values: The cells.
    """
    kinds = kinds_of(values)
    present = np.flatnonzero(np.bincount(kinds, minlength=4))
    if len(present) == 1:
        kind = int(present[0])
        whole = _whole(header, values, kind)
        if whole is not None:
            return whole
    parts: list[Part] = []
    for each in present:
        kind = int(each)
        rows = np.flatnonzero(kinds == kind)
        parts += parts_of(
            rows, values if len(rows) == len(values) else values.take(pa.array(rows)), kind
        )
    return merged(header, parts, len(values))


def _whole(
    header: Callable[[int], bytes], values: pa.StringArray, kind: int
) -> list[Segment] | None:
    """Return the segments if all cells get one type, else None."""
    if kind == IS_STRING:
        return strings(header, values)
    if kind == IS_FLOAT:
        floats = floats_of(values)
        return None if floats is None else doubles(header, floats)
    if kind == IS_INTEGER:
        integers = integers_of(values)
        if integers is not None and fits_int32(integers).all():
            return [constant(header(cells.INT32)), numbers(integers.astype("<i4"))]
    return None


def fits_int32(integers: Array) -> Array:
    """Return for each number whether 32 bits hold it."""
    fits: Array = (integers >= cells.INT32_MIN) & (integers <= cells.INT32_MAX)
    return fits


def strings(header: Callable[[int], bytes], values: pa.StringArray) -> list[Segment]:
    """Return a column of strings."""
    lengths = np.diff(offsets_of(values)) + np.int32(1)
    return [
        constant(header(cells.STRING)),
        numbers(lengths.astype("<i4", copy=False)),
        Varying(values.view(pa.binary())),
        constant(b"\0"),
    ]


def doubles(header: Callable[[int], bytes], values: Array) -> list[Segment]:
    """Return a column of doubles, none of them NaN."""
    return [constant(header(cells.DOUBLE)), numbers(values.astype("<f8", copy=False))]


def parts_of(rows: Array, values: pa.StringArray, kind: int) -> list[Part]:
    """Return the values of cells of one kind, and the rows they stand in."""
    if kind == IS_STRING:
        _, *segments = strings(lambda _: b"", values)
        return [(rows, cells.STRING, joined(segments, len(rows)))]
    if kind == IS_INTEGER:
        integers = integers_of(values)
        if integers is not None:
            small = fits_int32(integers)
            return [
                *_numbers(rows[small], cells.INT32, integers[small].astype("<i4")),
                *_numbers(rows[~small], cells.INT64, integers[~small].astype("<i8")),
            ]
    if kind == IS_FLOAT:
        floats = floats_of(values)
        if floats is not None:
            return _numbers(rows, cells.DOUBLE, floats.astype("<f8"))
    return [_one_by_one(rows, values, cells.infer)]


def _numbers(rows: Array, kind: int, values: Array) -> list[Part]:
    return [(rows, kind, joined([numbers(values)], len(rows)))] if len(rows) else []


def _one_by_one(rows: Array, values: pa.StringArray, parse: cells.Parser) -> Part:
    elements = [parse(text) for text in values.to_pylist()]
    types = np.frombuffer(bytes(kind for kind, _ in elements), np.uint8)
    return rows, types, pa.array([value for _, value in elements], pa.binary())


def one_by_one(
    header: Callable[[int], bytes], values: pa.StringArray, parse: cells.Parser
) -> list[Segment]:
    """Return a column whose cells are parsed one at a time.

    Raises:
        MisfitError: A cell is not of the type.
    """
    rows = np.arange(len(values))
    return merged(header, [_one_by_one(rows, values, parse)], len(values))


def merged(header: Callable[[int], bytes], parts: list[Part], rows: int) -> list[Segment]:
    """Return a column of several types: a type byte a row, the name, the values in row order."""
    types = np.empty((rows, 1), np.uint8)
    for places, kind, _ in parts:
        types[places, 0] = kind
    if len(parts) == 1:
        values: Any = parts[0][2]
    else:
        order = np.empty(rows, np.int64)
        order[np.concatenate([places for places, _, _ in parts])] = np.arange(rows)
        values = pa.concat_arrays([each for _, _, each in parts]).take(pa.array(order))
    return [Fixed(1, table=types), constant(header(0)[1:]), Varying(values)]


def spread(segments: list[Segment], places: Array, rows: int) -> Varying:
    """Return a column that is there in some rows only."""
    values = joined(segments, len(places))
    lengths = np.zeros(rows, np.int32)
    offsets = offsets_of(values)
    lengths[places] = np.diff(offsets)
    all_offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(lengths, out=all_offsets[1:])
    data = bytes_of(values)[int(offsets[0]) : int(offsets[-1])]
    return Varying(binary_array(all_offsets, np.ascontiguousarray(data)))
