"""What is exported and imported again is equal, byte for byte in BSON."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.transfer.documents import Documents, Skipped
from seawall.transfer.export.writing import CsvWriter, JsonWriter
from seawall.transfer.options import InputOptions
from seawall.transfer.readers.json import JsonReader

keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0$"), max_size=6)
texts = st.text(st.characters(exclude_categories=["Cs"]))
names_of_patterns = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8
)
int64s = st.integers(-(2**63), 2**63 - 1)
decimals = st.builds(
    lambda sign, digits, exponent: Decimal128(f"{sign}{digits}E{exponent}"),
    *(st.sampled_from(["", "-"]), st.integers(0, 10**34 - 1), st.integers(-6176, 6111)),
) | st.sampled_from([Decimal128("NaN"), Decimal128("Infinity"), Decimal128("-Infinity")])
exact_in_both = (
    st.none()
    | st.booleans()
    | texts
    | st.integers(-(2**31), 2**31 - 1)
    # Go keeps one NaN of the many; so does the importer.
    | st.floats(allow_nan=False)
    | st.builds(ObjectId, st.binary(min_size=12, max_size=12))
    | st.builds(DatetimeMS, int64s)
    | st.builds(Binary, st.binary(max_size=20), st.sampled_from([0, 1, 2, 3, 4, 5, 6, 128, 255]))
    | st.builds(Timestamp, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
    | st.builds(Regex, names_of_patterns, st.integers(0, 0) | st.sampled_from([2, 8, 10]))
    | st.builds(Code, texts)
    | decimals
    | st.sampled_from([MinKey(), MaxKey()])
)
whole = st.builds(Int64, int64s)


def documents_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    inner = st.recursive(
        values,
        lambda deeper: st.lists(deeper, max_size=4) | st.dictionaries(keys, deeper, max_size=4),
        max_leaves=12,
    )
    return st.dictionaries(keys, inner, max_size=6)


canonical_documents = documents_of(exact_in_both | whole)
relaxed_documents = documents_of(
    exact_in_both
    # Relaxed JSON does not tell a small int64 from an int32.
    | whole.filter(lambda number: not -(2**31) <= number < 2**31)
)


def there_and_back(raw: list[bytes], *, array: bool, canonical: bool, pretty: bool) -> list[bytes]:
    out = bytearray()
    writer = JsonWriter(out.extend, canonical=canonical, array=array, pretty=pretty)
    writer.begin()
    for each in raw:
        writer.document(each)
    writer.end()
    reader = JsonReader(array=array)
    return [each for block in reader.blocks([bytes(out)]) for each in block.raw()]


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("array", [False, True])
@given(documents=st.lists(canonical_documents, max_size=4))
@settings(max_examples=150)
def test_canonical_json(documents: list[dict[str, Any]], array: bool, pretty: bool) -> None:
    raw = [bson.encode(each) for each in documents]

    assert there_and_back(raw, array=array, canonical=True, pretty=pretty) == raw


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("array", [False, True])
@given(documents=st.lists(relaxed_documents, max_size=4))
@settings(max_examples=150)
def test_relaxed_json(documents: list[dict[str, Any]], array: bool, pretty: bool) -> None:
    raw = [bson.encode(each) for each in documents]

    assert there_and_back(raw, array=array, canonical=False, pretty=pretty) == raw


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize(
    "raw",
    [
        b"\x0e\x00\x00\x00\x0ea\x00\x02\x00\x00\x00s\x00\x00",
        b"\x08\x00\x00\x00\x06a\x00\x00",
        bson.encode({"a": Code("f()", {"n": Int64(2**40)})}),
        bson.encode({"a": math.nan})[:7] + struct.pack("<Q", 0x7FF8000000000001) + b"\0",
        bson.encode({"a": datetime(2020, 1, 2, tzinfo=UTC), "_id": 5}),
    ],
    ids=["symbol", "undefined", "scoped code", "nan", "date"],
)
def test_types_that_drivers_change(raw: bytes, canonical: bool) -> None:
    assert there_and_back([raw], array=False, canonical=canonical, pretty=False) == [raw]


# Flat documents by CSV: texts that look like no number and have no white space at their ends,
# which CSV does not keep; numbers that their shortest digits tell.

cell_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1
).filter(lambda text: text == text.strip() and not looks_like_number(text))
cells = (
    cell_texts
    | st.integers(-(2**31), 2**31 - 1)
    | whole.filter(lambda number: not -(2**31) <= number < 2**31)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: "." in f"{number:g}")
    | st.just(math.inf)
)


def looks_like_number(text: str) -> bool:
    return text[0] in "0123456789+-.iInN"


def rounded(number: Any) -> Any:
    """Return the number that six digits tell, which is surely no whole one."""
    return float(f"{number:g}") if isinstance(number, float) else number


@given(
    names=st.lists(
        st.text(st.sampled_from("abcdefgh é,\"'"), min_size=1, max_size=5).filter(
            lambda name: name == name.strip()
        ),
        min_size=1,
        max_size=5,
        unique=True,
    ),
    data=st.data(),
)
@settings(max_examples=300)
def test_csv_of_flat_documents(names: list[str], data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(st.fixed_dictionaries({name: cells.map(rounded) for name in names}), max_size=4)
    )
    raw = [bson.encode({name: each[name] for name in names}) for each in rows]
    out = bytearray()
    writer = CsvWriter(out.extend, names)
    writer.begin()
    for each in raw:
        writer.document(each)
    asked = InputOptions(type="csv", headerline=True)
    documents = Documents(asked, None, Skipped(lambda _: None, lambda _: None))

    back = [each for block in documents.start(iter([bytes(out)])) for each in block.raw()]

    assert back == raw
