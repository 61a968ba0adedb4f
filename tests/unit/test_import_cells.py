# ruff: noqa: E501  tables of cases are read better in long lines
"""What cells become; expected values were observed with mongoimport 100.8."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import bson
import pytest

from seawall.transfer import cells
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.cells import Element, MisfitError
from seawall.transfer.columns import columns_of, split_fields
from seawall.transfer.convert import RowConverter, document_bytes, element_bytes
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.layouts import from_microsoft, from_oracle


def value(element: Element) -> object:
    return bson.decode(document_bytes(element_bytes("x", element)))["x"]


INFERRED = {
    "1": 1,
    "+1": 1,
    "-0": 0,
    "007": 7,
    "2147483648": 2**31,
    "9223372036854775807": 2**63 - 1,
    "9223372036854775808": 2.0**63,
    "1.": 1.0,
    ".5": 0.5,
    "1e5": 1e5,
    "1_000": 1000.0,
    "0x1p-2": 0.25,
    "0x_1p0": 1.0,
    "inf": math.inf,
    "-Infinity": -math.inf,
    "1e-400": 0.0,
}
STRINGS = (
    "",
    "1__0",
    "_1",
    "1_",
    "0x10",
    "0b1",
    "0o7",
    "-NaN",
    "1e309",
    "true",
    "null",
    "1 ",
    "-",
    ".",
)


@pytest.mark.parametrize("text", INFERRED)
def test_numbers_are_inferred(text: str) -> None:
    found = value(cells.infer(text))
    assert found == INFERRED[text]
    assert type(found) in {type(INFERRED[text]), bson.Int64}


@pytest.mark.parametrize("text", STRINGS)
def test_the_rest_stays_text(text: str) -> None:
    assert value(cells.infer(text)) == text


def test_sizes_of_integers() -> None:
    assert cells.infer("2147483647")[0] == cells.INT32
    assert cells.infer("2147483648")[0] == cells.INT64
    assert cells.int64("1")[0] == cells.INT64
    assert cells.infer("nan") == (cells.DOUBLE, bytes.fromhex("010000000000f87f"))


GOOD = [
    ("int32()", "+7", 7), ("double()", "5", 5.0), ("boolean()", "TRUE", True), ("boolean()", "0", False),
    ("binary(hex)", "00fF", b"\x00\xff"), ("binary(base32)", "AAAQ====", b"\x00\x01"),
    ("binary(base64)", "AAE=", b"\x00\x01"), ("string()", "1", "1"), ("auto()", "1", 1),
]  # fmt: skip
BAD = [
    ("int32()", "2147483648"), ("int32()", "1.0"), ("int64()", ""), ("double()", "1e309"), ("double()", "x"),
    ("boolean()", "yes"), ("binary(hex)", "0"), ("binary(hex)", "0 0"), ("binary(base32)", "aaaq===="),
    ("binary(base64)", "AAE"), ("decimal()", "9" * 35), ("decimal()", "1e6145"), ("date(2006)", "20"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "expected"), GOOD)
def test_typed_cells(kind: str, text: str, expected: object) -> None:
    (column,) = columns_of([f"a.{kind}"], have_types=True)
    assert value(column.parse(text)) == expected


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_typed_cells_that_do_not_fit(kind: str, text: str) -> None:
    (column,) = columns_of([f"a.{kind}"], have_types=True)
    with pytest.raises(MisfitError):
        column.parse(text)


@pytest.mark.parametrize(
    "text", ["1.50", "1E+3", "0E-10", "-0", "9" * 34, "NaN", "Infinity", "1E+6144"]
)
def test_decimals_keep_their_zeros(text: str) -> None:
    expected = bson.Decimal128(text)
    assert value(cells.decimal(text)) == expected


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


DATES = [
    ("2006-01-02", "2020-02-29", 1582934400000), ("2006-01-02", "2021-02-29", None),
    ("2006-01-02 15:04:05", "1969-12-31 23:59:59.9994", -1), ("2006-01-02 15:04:05.000", "2020-01-01 00:00:00.1", None),
    ("Jan 2, 2006 3:04 PM", "jAN 5, 1999 12:10 AM", 915495000000), ("06", "69", -31536000000), ("06", "68", 3092601600000),
    ("2006-01-02T15:04:05Z07:00", "2020-01-02T03:04:05+01:30", 1577928845000), ("2006 002", "2020 366", 1609372800000),
    ("2006 002", "2021 366", None), ("2006-01-02 ", "2020-01-02", 1577923200000), ("2006-01-02", "2020-1-02", None),
]  # fmt: skip


@pytest.mark.parametrize(("layout", "text", "milliseconds"), DATES)
def test_dates(layout: str, text: str, milliseconds: int | None) -> None:
    parse = cells.date(layout)
    if milliseconds is None:
        with pytest.raises(MisfitError):
            parse(text)
    else:
        assert parse(text) == (cells.DATE, milliseconds.to_bytes(8, "little", signed=True))


@pytest.mark.usefixtures("new_york")
def test_only_the_own_zone_shifts() -> None:
    parse = cells.date("2006-01-02 15:04 MST")
    assert int.from_bytes(parse("2020-01-02 00:00 PST")[1], "little") == 1577923200000
    assert int.from_bytes(parse("2020-01-02 00:00 EST")[1], "little") == 1577941200000


def test_layouts_of_others() -> None:
    assert from_microsoft("yyyy-MM-dd HH:mm:ss tt zzz fff") == "2006-01-02 15:04:05 PM -07:00 fff"
    assert from_oracle("yyyy-mm-dd HH24:mi:ss") == "2006-01-02 15:04:05"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a", "could not parse type from header a"), ("a.INT32()", "invalid type INT32 in header a.INT32()"),
        ("a.int32(x)", "type 8 does not support arguments"), ("a.binary(base16)", "invalid binary encoding: base16"),
    ],
)  # fmt: skip
def test_bad_types(header: str, words: str) -> None:
    with pytest.raises(
        TransferFailedError, match=f"^{words.replace('(', '[(]').replace(')', '[)]')}$"
    ):
        columns_of([header], have_types=True)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["a."], "field `a.` cannot end with a '.'"), ([".a"], "field `.a` cannot start with a '.'"),
        (["$a"], "field `$a` cannot start with a '$'"), (["a..b"], "field `a..b` cannot contain consecutive '.' characters"),
        (["a", "a"], "fields cannot be identical: `a` and `a`"), (["a.b.c", "x", "a.b"], "fields `a.b.c` and `a.b` are incompatible"),
        (["a.0", "a.2"], "array index error with field `a.2`: array indexes in fields must start from 0 and increase sequentially"),
        (["a.0", "a.x"], "fields `a.0` and `a.x` are incompatible"),
    ],
)  # fmt: skip
def test_bad_names(names: list[str], words: str) -> None:
    with pytest.raises(TransferFailedError) as caught:
        columns_of(names, array_indexes=True)
    assert caught.value.message == words


def test_fields_split_outside_parentheses() -> None:
    assert split_fields("a.date(January 2, 2006), b,") == ["a.date(January 2, 2006)", " b", ""]
    assert split_fields("a)b,c") == ["a)b", "c"]


def test_nested_names_and_arrays() -> None:
    names = ["a.0", "b", "a.1", "c.0.0", "c.0.1", "c.1.x", "0", "1.0", "d.e", "d.f"]
    converter = RowConverter(columns_of(names, array_indexes=True), ids=ObjectIds(1, b"fives", 0))
    raw = converter.document([str(number) for number in range(12)])
    assert raw is not None
    found = bson.decode(raw)
    assert next(iter(found)) == "_id"
    del found["_id"]
    assert found == {"a": [0, 2], "b": 1, "c": [[3, 4], {"x": 5}], "0": 6, "1": [7], "d": {"e": 8, "f": 9}, "field10": 10, "field11": 11}  # fmt: skip


def test_holes_between_documents_of_an_array_are_closed() -> None:
    names = ["a.0.x", "a.1.x", "a.1.y", "b.0", "b.1.z"]
    converter = RowConverter(columns_of(names, array_indexes=True), ignore_blanks=True)
    raw = converter.document(["", "1", "2", "", "3"])
    assert raw is not None
    assert bson.decode(raw) == {"a": [{"x": 1}, {"y": 2}], "b": [{"z": 3}]}


def test_holes_and_doubles_are_refused() -> None:
    converter = RowConverter(columns_of(["a.0", "a.1"], array_indexes=True), ignore_blanks=True)
    with pytest.raises(TransferFailedError, match=r"set value for key a[.]1"):
        converter.document(["", "1"])
    doubled = RowConverter(columns_of(["a", "field2"]))
    with pytest.raises(
        TransferFailedError,
        match=r"duplicate field name - on field2 - for token #3 \('3'\) in document #0",
    ):
        doubled.document(["1", "2", "3"])
