# ruff: noqa: E501, RUF005  tables of cases are read better in long lines
"""The fast paths give the bytes of the exact ones, whatever they are fed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seawall.transfer import documents, options
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.columnar import ColumnarConverter
from seawall.transfer.columns import columns_of
from seawall.transfer.convert import RowConverter
from seawall.transfer.failures import IrregularError, TransferFailedError
from seawall.transfer.json_columns import JsonColumns
from seawall.transfer.readers.delimited import CsvScanner, TsvScanner
from seawall.transfer.readers.extended import Pairs, document
from seawall.transfer.readers.json import JsonReader
from seawall.transfer.readers.json_exact import Parser
from seawall.transfer.readers.json_fast import documents_of_lines

TYPES = (
    *("auto()", "string()", "int32()", "int64()", "double()", "boolean()", "decimal()"),
    *("binary(hex)", "date(2006-01-02)", "date(2006-01-02 15:04:05)", "date_ms(yyyy-MM-dd)"),
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(2**33), 2**33).map(str),
    st.floats().map(repr),
    st.sampled_from(
        ["1.", ".5", "+1", "007", "1e5", "1e400", "1e-400", "inf", "nan", "-nan", "1_0", "0x1p-2"]
        + ["-", "+", ".", "1.2.3", "2020-01-02", "1-2", "e5", "1e", "12:30", "-0", "-0.0", "1e+5"]
        + ["2020-02-30", "2020-01-02 03:04:05", "true", "FALSE", "0", "1", "0a0b", "9" * 19]
    ),
)
TEXTS = st.one_of(
    NUMBERS,
    st.sampled_from(["", " ", "a", " a", "a ", "é", "\u00a0x", "n", "in", "inf", "x\ty"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=6),
)


def ids() -> ObjectIds:
    return ObjectIds(1, b"fives", 0xFFFFF0)


def as_csv(row: list[str], quoted: bool) -> str:
    def cell(text: str) -> str:
        if quoted or any(c in text for c in ',"'):
            return '"' + text.replace('"', '""') + '"'
        return text

    return ",".join(map(cell, row)) + "\n"


def exact(data: bytes, names: list[str], typed: bool, **more: Any) -> list[bytes] | None:
    columns = columns_of(names, have_types=typed)
    scanner: Any = TsvScanner() if more.pop("tsv", False) else CsvScanner()
    converter = RowConverter(columns, ids=ids(), **more)
    rows = scanner.feed(data, final=True)
    if scanner.failed() is not None:
        return None
    try:
        return [raw for row in rows if (raw := converter.document(row)) is not None]
    except TransferFailedError:
        return None


def check(
    data: bytes, names: list[str], typed: bool, *, tsv: bool = False, blanks: bool = False
) -> bool:
    """Compare the two paths; return whether the fast one took the data."""
    more: dict[str, Any] = {"delimiter": "\t", "quote": "", "trims": False} if tsv else {}
    fast = ColumnarConverter(
        columns_of(names, have_types=typed), ids=ids(), ignore_blanks=blanks, **more
    )
    if not fast.is_able:
        return False
    try:
        found = list(fast.convert(data).raw())
    except IrregularError:
        return False
    assert found == exact(data, names, typed, tsv=tsv, ignore_blanks=blanks)
    return True


@given(
    st.lists(st.lists(TEXTS, min_size=2, max_size=2), min_size=1, max_size=8),
    st.booleans(),
    st.booleans(),
    st.sampled_from([["a", "b"], ["a.b", "a.c"], ["a", "_id"]]),
)
@settings(max_examples=1500)
def test_untyped_csv(rows: list[list[str]], quoted: bool, blanks: bool, names: list[str]) -> None:
    data = "".join(as_csv(row, quoted) for row in rows).encode()
    check(data, names, False, blanks=blanks)


@given(
    st.sampled_from(TYPES),
    st.sampled_from(TYPES),
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6),
    st.booleans(),
)
@settings(max_examples=1500)
def test_typed_csv(first: str, second: str, rows: list[tuple[str, str]], blanks: bool) -> None:
    data = "".join(as_csv(list(row), False) for row in rows).encode()
    check(data, [f"a.{first}", f"b.{second}"], True, blanks=blanks)


@given(
    st.text(st.sampled_from('1a," \n\r\t.é\u00a0'), min_size=1, max_size=30),
    st.sampled_from([1, 2]),
)
@settings(max_examples=3000)
@example('"a"\n"\n', 1)
@example('a,b\n1,"2\n3"\n', 2)
def test_any_csv(text: str, width: int) -> None:
    check((text + "\n").encode(), ["a", "b"][:width], False)


@given(st.binary(max_size=40), st.sampled_from([1, 2]))
@settings(max_examples=1500)
def test_any_tsv(data: bytes, width: int) -> None:
    check(data + b"\n", ["a", "b"][:width], False, tsv=True)


@pytest.mark.parametrize("kind", TYPES)
def test_the_fast_path_is_taken_for_what_is_regular(kind: str) -> None:
    cell = {
        "boolean()": "true",
        "binary(hex)": "00ff",
        "date(2006-01-02 15:04:05)": "2020-01-02 03:04:05",
    }
    text = cell.get(kind, "2020-01-02" if kind.startswith("date") else "17")
    assert check(f"{text},x\n".encode() * 50, [f"a.{kind}", "b.string()"], True)


# JSON

LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**66), 2**66), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.builds(lambda n: {"$numberLong": str(n)}, st.integers(-(2**63), 2**63 - 1)),
    st.sampled_from(
        [{"$oid": "5f" * 12}, {"$oid": "5f 0" * 6}, {"$date": "2020-01-02T03:04:05.678Z"}]
        + [{"$date": "2020-01-02T24:00:00Z"}, {"$date": {"$numberLong": "-5"}}, {"$date": 7}]
        + [{"$numberDouble": "NaN"}, {"$numberDouble": "1.5"}, {"$numberDecimal": "1.50"}]
        + [{"$symbol": "s"}, {"$undefined": True}, {"$minKey": 1}, {"$regularExpression": {"pattern": "a", "options": "zi"}}]
        + [{"$binary": {"base64": "AAE=", "subType": "02"}}, {"$timestamp": {"t": 1, "i": 2}}]
        + [{"$code": "x", "$scope": {"a": {"$oid": "5f" * 12}}}, {"$oid": 5}, {"$gt": 1}]
        + [{"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}]
    ),
)  # fmt: skip
KEYS = st.one_of(st.sampled_from(["a", "b", "_id", "$x", "a.b", "", "$oid"]), st.text(max_size=3))
OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(KEYS, x, max_size=3), max_leaves=6),
    max_size=4,
)  # fmt: skip


def same(found: list[bytes], expected: list[bytes] | None) -> bool:
    """Compare without the counters of made ids; a path that gave up has used some."""
    mark = b"\x07_id\0" + ids().head

    def bare(raw: bytes) -> bytes:
        return raw[:18] + raw[21:] if raw[4:18] == mark else raw

    return expected is not None and [bare(each) for each in found] == [
        bare(each) for each in expected
    ]


def exact_json(lines: list[bytes]) -> list[bytes] | None:
    made = ids()
    found = []
    try:
        for line in lines:
            value = Parser(line).value()
            assert isinstance(value, Pairs)
            raw = document(value)
            if not any(key == b"_id" for key, _ in value):
                size = (len(raw) + 17).to_bytes(4, "little")
                raw = size + b"\x07_id\0" + made.next() + raw[4:]
            found.append(raw)
    except TransferFailedError:
        return None
    return found


@given(st.lists(OBJECTS, min_size=1, max_size=4), st.booleans())
@settings(max_examples=2000)
def test_lines_of_json(objects: list[dict[str, Any]], ascii_only: bool) -> None:
    lines = [
        json.dumps(each, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        for each in objects
    ]
    expected = exact_json(lines)
    with contextlib.suppress(IrregularError):
        assert same(list(documents_of_lines(b"\n".join(lines) + b"\n", ids()).raw()), expected)
    read = list(_read(b"\n".join(lines), {}))
    assert expected is None or same(read, expected)
    array = b"[" + b",\n".join(lines) + b"]"
    assert expected is None or same(list(_read(array, {"array": True})), expected)


SHAPED = st.sampled_from(["n", "t", "o", "d", "l", "x", "s"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.sampled_from(["1", "-0", "01", "1.5", "1e5", "1.", "-2.5E-3", "null", "true", "9" * 20, "2147483648", "1e400", "nul", "+1"]),
    "t": st.sampled_from(['""', '"a"', '"\u00e9"', '"a, b"', '"}{"', '"\\n"', '"\x1f"', '", "', '"a" "b"']),
    "o": st.sampled_from(['{"$oid": "' + "5f" * 12 + '"}', '{"$oid": "' + "5G" * 12 + '"}', '{"$oid": ""}']),
    "d": st.sampled_from(['{"$date": "2020-01-02T03:04:05Z"}', '{"$date": "2020-02-30T03:04:05Z"}', '{"$date": "2020-01-02T03:04:05.678Z"}']),
    "l": st.sampled_from(['{"$numberLong": "5"}', '{"$numberLong": "x"}', '{"$numberLong": "-7"}']),
    "x": st.sampled_from(['{"y": 1, "z": "w"}', '{"y": 2.5, "z": ""}', '{"y": 1, "y": 2}', '{"z": "w", "y": 1}']),
    "s": st.sampled_from(['{"$gt": 5}', '{"$symbol": "x"}', '[1, 2]']),
}  # fmt: skip


@given(
    st.data(),
    st.lists(SHAPED, min_size=1, max_size=3),
    st.integers(1, 4),
    st.sampled_from(["k", "_id"]),
)
@settings(max_examples=3000)
def test_lines_of_one_shape(data: st.DataObject, kinds: list[str], count: int, first: str) -> None:
    lines = []
    for _ in range(count):
        members = [f'"{i or first}": {data.draw(VALUES[kind])}' for i, kind in enumerate(kinds)]
        if data.draw(st.integers(0, 9)) == 0:
            members.reverse()
        lines.append(("{" + ", ".join(members) + "}").encode())
    try:
        found = list(JsonColumns(ids()).convert(b"\n".join(lines) + b"\n").raw())
    except IrregularError:
        return
    assert same(found, exact_json(lines))


def test_one_shape_is_taken() -> None:
    line = (
        b'{"n": 1, "t": "a", "o": {"$oid": "'
        + b"5f" * 12
        + b'"}, "d": {"$date": "2020-01-02T03:04:05Z"}, "x": {"y": null}}'
    )
    other = line.replace(b": 1,", b": -2.5,").replace(b"null", b"true")
    found = list(JsonColumns(ids()).convert(line + b"\n" + other + b"\n").raw())
    assert same(found, exact_json([line, other]))


def _read(data: bytes, more: dict[str, Any]) -> Iterator[bytes]:
    try:
        for block in JsonReader(ids=ids(), **more).blocks([data[:7], data[7:31], data[31:]]):
            yield from block.raw()
    except TransferFailedError:
        return


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a" :1,"a":2}', b'{"a":-0}', b'{"a":"\\ud800"}',
        b'{"a":18446744073709551615}', b'{"b":1,"_id":2}', b'{"a":"x","\\u0061":2}', b'{"\\u0024oid":"' + b"5f" * 12 + b'"}',
        b'{"a":{"\\u0024oid":"' + b"5f" * 12 + b'"}}', b'{"a":"\xff"}', b'{"a":' * 200 + b"1" + b"}" * 200,
    ],
)  # fmt: skip
def test_traps_of_json(line: bytes) -> None:
    expected = exact_json([line])
    assert expected is not None
    assert same(list(_read(line, {})), expected)
    with contextlib.suppress(IrregularError):
        assert same(list(documents_of_lines(line + b"\n", ids()).raw()), expected)


@given(
    st.binary(max_size=40)
    | st.text(st.sampled_from('{}[]",:\\ua1e-+. $ntrue\n'), max_size=40).map(str.encode)
)
@settings(max_examples=3000)
def test_any_bytes_are_documents_or_a_clear_failure(data: bytes) -> None:
    for more in ({}, {"array": True}, {"legacy": True}):
        with contextlib.suppress(TransferFailedError):
            for block in JsonReader(ids=ids(), **more).blocks([data]):
                assert len(list(block.raw())) == len(block)


@given(
    st.lists(st.binary(max_size=30), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from(["csv", "tsv"]),
)
@settings(max_examples=1500)
def test_any_bytes_are_rows_or_a_clear_failure(parts: list[bytes], header: bool, kind: str) -> None:
    asked = options.InputOptions(type=kind, headerline=header, fields=None if header else "a,b")
    skipped = documents.Skipped(lambda _: None, lambda _: None)
    with contextlib.suppress(TransferFailedError):
        for block in documents.Documents(asked, ids(), skipped).start(iter(parts)):
            assert len(list(block.raw())) == len(block)
