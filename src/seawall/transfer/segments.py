"""Pieces of many documents at a time, joined row by row into BSON.

A `Fixed` segment has the same width in every row, a `Varying` one has not.
Neighbouring fixed ones are written into one table of bytes, so that a row of
six columns is joined from few pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Fixed:
    """The same number of bytes in every row: a constant, or a table of rows and bytes."""

    width: int
    constant: bytes = b""
    table: Array | None = None


@dataclass(frozen=True)
class Varying:
    """Bytes of any length in each row."""

    values: pa.BinaryArray

    @property
    def lengths(self) -> Array:
        """Bytes of each row."""
        return np.diff(offsets_of(self.values))


Segment = Fixed | Varying


def constant(value: bytes) -> Fixed:
    """Return the same bytes for every row."""
    return Fixed(len(value), constant=value)


def numbers(values: Array) -> Fixed:
    """Return the little-endian bytes of an array of numbers."""
    contiguous = np.ascontiguousarray(values)
    width = contiguous.itemsize
    return Fixed(width, table=contiguous.view(np.uint8).reshape(len(contiguous), width))


def offsets_of(values: pa.Array) -> Array:
    """Return where each value begins, and where the last one ends."""
    buffer = values.buffers()[1]
    return np.frombuffer(buffer, np.int32, len(values) + 1, values.offset * 4)


def bytes_of(values: pa.Array) -> Array:
    """Return the bytes that `offsets_of` points into."""
    buffer = values.buffers()[2]
    return np.frombuffer(buffer, np.uint8) if buffer is not None else np.empty(0, np.uint8)


def binary_array(offsets: Array, data: Any) -> pa.BinaryArray:
    """Return an array of values from offsets (int32) and the bytes they point into."""
    places = np.ascontiguousarray(offsets, np.int32)
    buffers = [None, pa.py_buffer(places), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(places) - 1, buffers)


def total_lengths(segments: Sequence[Segment], rows: int) -> Array:
    """Return the bytes of each row, all segments together."""
    fixed = sum(each.width for each in segments if isinstance(each, Fixed))
    lengths = np.full(rows, fixed, np.int32)
    for each in segments:
        if isinstance(each, Varying):
            lengths += each.lengths
    return lengths


def document(segments: Sequence[Segment], rows: int) -> list[Segment]:
    """Return segments with the length in front and the end behind that make a document."""
    lengths = total_lengths(segments, rows) + np.int32(5)
    return [numbers(lengths.astype("<i4", copy=False)), *segments, constant(b"\0")]


def joined(segments: Sequence[Segment], rows: int) -> pa.BinaryArray:
    """Return the bytes of every row, one value a row."""
    arrays: list[pa.BinaryArray] = []
    run: list[Fixed] = []
    for each in segments:
        if isinstance(each, Fixed):
            run.append(each)
            continue
        if run:
            arrays.append(_table_of(run, rows))
            run = []
        arrays.append(each.values)
    if run:
        arrays.append(_table_of(run, rows))
    if len(arrays) == 1:
        return arrays[0]
    return pc.binary_join_element_wise(*arrays, b"")


def _table_of(run: Sequence[Fixed], rows: int) -> pa.BinaryArray:
    width = sum(each.width for each in run)
    template = b"".join(each.constant if each.table is None else bytes(each.width) for each in run)
    table = np.empty((rows, width), np.uint8)
    table[:] = np.frombuffer(template, np.uint8)
    start = 0
    for each in run:
        if each.table is not None:
            table[:, start : start + each.width] = each.table
        start += each.width
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)[: rows + 1]
    return binary_array(offsets, table)
