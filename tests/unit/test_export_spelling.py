"""Values leave as mongoexport spells them: section 16 of the facts about it."""

from __future__ import annotations

import json
import math
from typing import Any

import bson
import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex
from bson.dbref import DBRef
from bson.timestamp import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from seawall.transfer.export import spelling
from seawall.transfer.export.cells import Row
from seawall.transfer.export.extended import ExtendedJson, indented
from seawall.transfer.export.writing import CsvWriter, JsonWriter, csv_cell
from seawall.transfer.failures import TransferFailedError

ID = ObjectId("5f00000000000000000000ab")


def relaxed(value: Any) -> str:
    return ExtendedJson().text(bson.encode({"a": value}))[len('{"a":') : -1]


def canonical(value: Any) -> str:
    return ExtendedJson(True).text(bson.encode({"a": value}))[len('{"a":') : -1]


def cell(value: Any, path: str = "a") -> str:
    return Row([path]).cells(bson.encode({"a": value}))[0]


@pytest.mark.parametrize(
    ("number", "json_text", "csv_text"),
    [
        (1.0, "1.0", "1"),
        (-0.0, "-0.0", "-0"),
        (100000.0, "100000.0", "100000"),
        (999999.5, "999999.5", "999999.5"),
        (1e6, "1E+06", "1e+06"),
        (1234567.5, "1.2345675E+06", "1.2345675e+06"),
        (123456789012345.6, "1.234567890123456E+14", "1.234567890123456e+14"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "1E-05", "1e-05"),
        (1e-7, "1E-07", "1e-07"),
        (5e-324, "5E-324", "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157E+308", "1.7976931348623157e+308"),
        (-2.5, "-2.5", "-2.5"),
    ],
)
def test_doubles(number: float, json_text: str, csv_text: str) -> None:
    assert relaxed(number) == json_text
    assert canonical(number) == f'{{"$numberDouble":"{json_text}"}}'
    assert cell(number) == csv_text


@pytest.mark.parametrize(
    ("number", "json_word", "csv_word", "inside"),
    [
        (math.nan, "NaN", "NaN", "NaN"),
        (math.inf, "Infinity", "+Inf", "+Infinity"),
        (-math.inf, "-Infinity", "-Inf", "-Infinity"),
    ],
)
def test_doubles_without_end(number: float, json_word: str, csv_word: str, inside: str) -> None:
    assert relaxed(number) == canonical(number) == f'{{"$numberDouble":"{json_word}"}}'
    assert cell(number) == csv_word
    assert cell([number]) == f"[{inside}]"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back(number: float) -> None:
    for text in (spelling.json_double(number), spelling.csv_double(number)):
        assert math.copysign(1, float(text)) == math.copysign(1, number)
        assert float(text) == number
    text = spelling.shortest(number)
    assert ("e" in text) == (number != 0 and not 1e-4 <= abs(number) < 1e6)


@pytest.mark.parametrize(
    ("at_ms", "relaxed_text", "csv_text"),
    [
        (1577934245678, '{"$date":"2020-01-02T03:04:05.678Z"}', "2020-01-02T03:04:05.678Z"),
        (1577934245100, '{"$date":"2020-01-02T03:04:05.1Z"}', "2020-01-02T03:04:05.100Z"),
        (1577934245120, '{"$date":"2020-01-02T03:04:05.12Z"}', "2020-01-02T03:04:05.120Z"),
        (1577934245000, '{"$date":"2020-01-02T03:04:05Z"}', "2020-01-02T03:04:05.000Z"),
        (0, '{"$date":"1970-01-01T00:00:00Z"}', "1970-01-01T00:00:00.000Z"),
        (-1000, '{"$date":{"$numberLong":"-1000"}}', "1969-12-31T23:59:59.000Z"),
        (253402300799999, '{"$date":"9999-12-31T23:59:59.999Z"}', None),
        (253402300800000, '{"$date":{"$numberLong":"253402300800000"}}', None),
        (32535215998999, None, "3000-12-31T23:59:58.999Z"),
        (32535215999000, None, '{ "$date": { "$numberLong" : "32535215999000" }}'),
        (
            -62135596800001,
            '{"$date":{"$numberLong":"-62135596800001"}}',
            "0000-12-31T23:59:59.999Z",
        ),
    ],
)
def test_dates(at_ms: int, relaxed_text: str | None, csv_text: str | None) -> None:
    value = DatetimeMS(at_ms)
    assert canonical(value) == f'{{"$date":{{"$numberLong":"{at_ms}"}}}}'
    if relaxed_text is not None:
        assert relaxed(value) == relaxed_text
    if csv_text is not None:
        assert cell(value) == csv_text


@pytest.mark.parametrize(
    ("value", "json_text", "csv_text", "inside"),
    [
        (5, "5", "5", "5"),
        (Int64(5), "5", "5", '{"$numberLong":"5"}'),
        ("x", '"x"', "x", '"x"'),
        (True, "true", "true", "true"),
        (None, "null", "", "null"),
        (ID, f'{{"$oid":"{ID}"}}', f"ObjectId({ID})", f'{{"$oid":"{ID}"}}'),
        (
            Binary(b"\0\1"),
            '{"$binary":{"base64":"AAE=","subType":"00"}}',
            "0001",
            '{"$binary":"AAE=","$type":"00"}',
        ),
        (
            Binary(b"\xff\1", 2),
            '{"$binary":{"base64":"/wE=","subType":"02"}}',
            "FF01",
            '{"$binary":"/wE=","$type":"02"}',
        ),
        (
            Timestamp(1, 2),
            '{"$timestamp":{"t":1,"i":2}}',
            '{ "$timestamp": { "t": 1, "i": 2 } }',
            '{"$timestamp":{"t":1,"i":2}}',
        ),
        (
            Regex("a/b", "i"),
            '{"$regularExpression":{"pattern":"a/b","options":"i"}}',
            "/a/b/i",
            '{"$regex":"a/b","$options":"i"}',
        ),
        (Code("f()"), '{"$code":"f()"}', "f()", '{"$code":"f()"}'),
        (
            Code("f()", {"n": 1}),
            '{"$code":"f()","$scope":{"n":1}}',
            "f()",
            '{"$code":"f()","$scope":{"n":1}}',
        ),
        (MinKey(), '{"$minKey":1}', "$MinKey", '{"$minKey":1}'),
        (MaxKey(), '{"$maxKey":1}', "$MaxKey", '{"$maxKey":1}'),
        (
            Decimal128("1.50"),
            '{"$numberDecimal":"1.50"}',
            "1.50",
            '{"$numberDecimal":"1.50"}',
        ),
        ({"b": [1.0, 1e21]}, '{"b":[1.0,1E+21]}', '{"b":[1.0,1e+21]}', '{"b":[1.0,1e+21]}'),
        ({}, "{}", "{}", "{}"),
        ([], "[]", "[]", "[]"),
    ],
)
def test_types(value: Any, json_text: str, csv_text: str, inside: str) -> None:
    assert relaxed(value) == json_text
    assert cell(value) == csv_text
    assert cell([value]) == f"[{inside}]"


def test_canonical_names_the_type_of_every_number() -> None:
    assert canonical(5) == '{"$numberInt":"5"}'
    assert canonical(Int64(5)) == '{"$numberLong":"5"}'


DECIMALS = (
    *("0", "-0", "1E+3", "0E-10", "NaN", "Infinity", "-Infinity", "1.50", "-1.2E-7"),
    *("9.999999999999999999999999999999999E+6144", "1E-6176", "0.000001", "0.0000001"),
)


@pytest.mark.parametrize("text", DECIMALS)
def test_decimals_are_spelled_as_their_specification_says(text: str) -> None:
    assert relaxed(Decimal128(text)) == f'{{"$numberDecimal":"{Decimal128(text)}"}}'


def test_old_types_stay_what_they_are() -> None:
    symbol = b"\x0e\x00\x00\x00\x0ea\x00\x02\x00\x00\x00s\x00\x00"
    undefined = b"\x08\x00\x00\x00\x06a\x00\x00"
    pointer = b"\x1a\x00\x00\x00\x0ca\x00\x02\x00\x00\x00n\x00" + ID.binary + b"\x00"

    assert ExtendedJson().text(symbol) == '{"a":{"$symbol":"s"}}'
    assert ExtendedJson().text(undefined) == '{"a":{"$undefined":true}}'
    assert (
        ExtendedJson().text(pointer)
        == f'{{"a":{{"$dbPointer":{{"$ref":"n","$id":{{"$oid":"{ID}"}}}}}}}}'
    )
    assert Row(["a"]).cells(symbol) == ["s"]
    assert Row(["a"]).cells(undefined) == ['{ "$undefined": true }']
    assert relaxed(DBRef("c", ID)) == f'{{"$ref":"c","$id":{{"$oid":"{ID}"}}}}'


def test_keys_that_stand_twice_both_leave_in_order() -> None:
    raw = bson.encode({"b": 1})[4:-1] + bson.encode({"a": 2})[4:-1] + bson.encode({"b": 3})[4:-1]
    document = (len(raw) + 5).to_bytes(4, "little") + raw + b"\0"

    assert ExtendedJson().text(document) == '{"b":1,"a":2,"b":3}'
    assert Row(["b"]).cells(document) == ["1"]


@pytest.mark.parametrize(
    ("text", "json_text", "inside"),
    [
        ("<é>&", '"<é>&"', '"\\u003cé\\u003e\\u0026"'),
        ("\u2028\u2029", '"\\u2028\\u2029"', '"\\u2028\\u2029"'),
        ("\b\f\n\r\t\x01", '"\\b\\f\\n\\r\\t\\u0001"', '"\\u0008\\u000c\\n\\r\\u0009\\u0001"'),
        ('"\\/', '"\\"\\\\/"', '"\\"\\\\/"'),
        ("😀", '"😀"', '"😀"'),
    ],
)
def test_strings(text: str, json_text: str, inside: str) -> None:
    assert relaxed(text) == json_text
    assert cell([text]) == f"[{inside}]"


def test_bytes_that_are_no_text_are_replaced_in_json_and_kept_in_csv() -> None:
    document = b"\x10\x00\x00\x00\x02a\x00\x04\x00\x00\x00x\xff\xc3\x00\x00"

    assert ExtendedJson().text(document) == '{"a":"x\\ufffd\\ufffd"}'
    out = bytearray()
    CsvWriter(out.extend, ["a"], header=False).document(document)
    assert out == b"x\xff\xc3\n"


@pytest.mark.parametrize("cut", range(1, 30))
def test_damaged_documents_are_refused(cut: int) -> None:
    document = bson.encode({"a": "text", "b": {"c": [1, 2.5]}})

    with pytest.raises(TransferFailedError, match="damaged"):
        ExtendedJson().text(document[:-cut] if cut < len(document) else b"")


def written(writer: Any, documents: list[dict[str, Any]]) -> str:
    writer.begin()
    for each in documents:
        writer.document(bson.encode(each))
    writer.end()
    return ""


@pytest.mark.parametrize(
    ("options", "none", "two"),
    [
        ({}, "", '{"a":1}\n{"a":{"b":[]}}\n'),
        ({"array": True}, "[]\n", '[{"a":1},{"a":{"b":[]}}]\n'),
        ({"pretty": True}, "\n", '{\n\t"a": 1\n}\n{\n\t"a": {\n\t\t"b": []\n\t}\n}\n'),
        (
            {"array": True, "pretty": True},
            "[]\n\n",
            '[{\n\t"a": 1\n},\n{\n\t"a": {\n\t\t"b": []\n\t}\n}]\n\n',
        ),
    ],
)
def test_forms_of_json(options: dict[str, bool], none: str, two: str) -> None:
    for documents, expected in (([], none), ([{"a": 1}, {"a": {"b": []}}], two)):
        out = bytearray()
        written(JsonWriter(out.extend, **options), documents)
        assert out.decode() == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_indenting_changes_white_space_alone(value: Any) -> None:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    assert json.loads(indented(text)) == json.loads(text)
    assert json.dumps(json.loads(text), indent="\t", ensure_ascii=False) == indented(text)


@pytest.mark.parametrize(
    ("text", "cell_text"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a,b", '"a,b"'),
        ('a"b', '"a""b"'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        (" a", '" a"'),
        ("\ta", '"\ta"'),
        ("a ", "a "),
        ("\\.", '"\\."'),
        ("\\.x", "\\.x"),
    ],
)
def test_quotes_in_csv(text: str, cell_text: str) -> None:
    assert csv_cell(text) == cell_text


def test_dotted_fields_reach_into_documents_and_arrays() -> None:
    document = bson.encode({"a": {"b": [{"c": 1}, 2], "": 3}, "n": None, "s": "x"})
    paths = ["a.b.0.c", "a.b.1", "a.b.2", "a.b.x", "a.b", "n.x", "s.x", "missing", "a.", "a.b.00.c"]

    assert Row(paths).cells(document) == [
        *("1", "2", "", "", '[{"c":1},2]', "", "", "", "3", "1"),
    ]


def test_a_header_names_fields_without_their_dollar() -> None:
    out = bytearray()
    writer = CsvWriter(out.extend, ["_id", "a.$", "b,c"])
    written(writer, [{"_id": 1, "a": [2], "b,c": 3}])

    assert out == b'_id,a,"b,c"\n1,[2],3\n'
