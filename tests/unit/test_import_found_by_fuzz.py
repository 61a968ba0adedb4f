"""What the fuzzer found, each as a case of its own."""

from __future__ import annotations

from collections.abc import Sequence

import bson
import pytest
from bson import MaxKey, MinKey

from seawall.transfer import documents, options
from seawall.transfer.columns import columns_of
from seawall.transfer.concern import concern_of
from seawall.transfer.export.cells import Row
from seawall.transfer.export.extended import ExtendedJson
from seawall.transfer.export.query import filter_of, preference_of, sort_of
from seawall.transfer.failures import OptionError, SettingsError, TransferFailedError
from seawall.transfer.options import InputOptions
from seawall.transfer.readers.json import JsonReader
from seawall.transfer.readings.mapping import Wanted, understand
from seawall.transfer.readings.rows import Table
from seawall.transfer.readings.zones import zone_of
from seawall.transfer.server_uri import parsed

DIGITS = "1" * 5000
"""More than Python turns into a number."""


def read(asked: InputOptions, chunks: Sequence[bytes]) -> list[dict[str, object]]:
    skipped = documents.Skipped(lambda _: None, lambda _: None)
    found: list[dict[str, object]] = []
    for block in documents.Documents(asked, None, skipped).start(iter(chunks)):
        found += block.decoded()
    return found


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_character_may_be_cut_in_two_behind_the_header(ending: str) -> None:
    data = f"näme,wert{ending}é°F,😀{ending}ü,1{ending}".encode()
    asked = InputOptions(type="csv", headerline=True)
    for at in range(1, len(data)):
        found = read(asked, [data[:at], data[at:]])
        assert found == [{"näme": "é°F", "wert": "😀"}, {"näme": "ü", "wert": 1}], at


def test_a_bad_document_is_left_out_to_the_end_of_its_line_wherever_it_is_cut() -> None:
    data = b'{"a":1}\nx {"b":2} y\n{"c":3}\n'
    for at in range(1, len(data)):
        bad: list[bytes] = []
        reader = JsonReader(bad_document=lambda raw, _: bad.append(raw))  # noqa: B023
        blocks = list(reader.blocks([data[:at], data[at:]]))
        assert [each for block in blocks for each in block.decoded()] == [{"a": 1}, {"c": 3}]
        assert bad == [b'x {"b":2} y\n'], at


def test_names_that_are_no_utf8(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(documents, "FAST_FROM_BYTES", 0)
    monkeypatch.setattr(documents, "SMALLEST_PIECE_BYTES", 0)
    file = tmp_path / "names"
    file.write_bytes(b"a\xff\r\nb\n")
    asked = InputOptions(type="tsv", field_file=str(file))
    skipped = documents.Skipped(lambda _: None, lambda _: None)
    blocks = list(documents.Documents(asked, None, skipped).start(iter([b"1\t2\n"])))
    assert b"".join(bytes(each.data) for each in blocks)[4:12] == b"\x10a\xff\0\x01\0\0\0"


def test_names_of_thousands_of_levels() -> None:
    with pytest.raises(TransferFailedError, match="has more than 200 levels"):
        columns_of(["a." * 3000 + "b"])


@pytest.mark.parametrize(
    "text", ["{a: %s}", "{a: 0x%s}", "{a: NumberLong('%s')}", "{a: Date(%s)}", "{a: .%s}"]
)
def test_legacy_numbers_of_thousands_of_digits(text: str) -> None:
    reader = JsonReader(legacy=True)
    if text == "{a: .%s}":
        assert next(reader.blocks([(text % DIGITS).encode()])).decoded() == [{"a": 1 / 9}]
        return
    with pytest.raises(TransferFailedError):
        list(reader.blocks([(text % DIGITS).encode()]))


def test_a_constructor_in_a_constructor_thousands_deep() -> None:
    with pytest.raises(TransferFailedError):
        list(JsonReader(legacy=True).blocks([b"{a: " + b"Date(" * 5000 + b")" * 5000 + b"}"]))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("wtimeoutMS=x", 'invalid value for "wtimeoutMS"'),
        (f"wtimeoutMS={DIGITS}", 'invalid value for "wtimeoutMS"'),
    ],
)
def test_a_time_limit_that_is_no_number(query: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        parsed(f"mongodb://localhost/?{query}")


def test_write_concerns_that_only_look_like_numbers_are_words() -> None:
    for text in ("2²", "--5", DIGITS):
        assert parsed(f"mongodb://localhost/?w={text}").concern == {"w": text}
        assert concern_of(text, {}) == {"w": text}
    for text in ("{w: Infinity}", "{w: NaN}"):
        with pytest.raises(OptionError, match="invalid 'w' argument"):
            concern_of(text, {})


def test_a_port_of_thousands_of_digits() -> None:
    with pytest.raises(OptionError, match="port must be an integer"):
        parsed(f"mongodb://localhost:{DIGITS}")


def test_words_of_the_command_line_that_are_no_utf8() -> None:
    odd = '{"a": "\udcff"}'
    assert filter_of(odd).raw == b"\x0e\0\0\0\x02a\0\x02\0\0\0\xff\0\0"
    assert sort_of(odd) == [("a", "\ufffd")]
    with pytest.raises(OptionError, match="unknown read preference"):
        preference_of('{mode: "\udcff"}')
    with pytest.raises(SettingsError, match="is not valid JSON"):
        sort_of("\udcff")
    assert concern_of("\udcff", {}) == {"w": "\udcff"}


def test_readings_with_bytes_that_are_no_utf8() -> None:
    data = b"".join(
        b'{"time":"%s","temp":%d}\n' % each
        for each in ((b"2026-05-01", 1), (b"2026-05\xff", 2), (b"2026-05-03", 3))
    )
    table = Table([iter([data])], InputOptions(type=options.JSON))
    rows = list(table.rows())
    mapping = understand(Wanted(device="attic"), table.columns, rows[:1])
    results = [mapping.reading(row) for row in rows]
    assert "document 2, column 'time'" in str(results[1])
    assert [each.metrics for each in (results[0], results[2])] == [{"temp": 1}, {"temp": 3}]  # type: ignore[union-attr]


def test_times_outside_the_calendar_have_no_zone() -> None:
    for wall_ms in (-62_167_219_200_000, 253_402_300_800_000):
        assert zone_of("Europe/Berlin").moments(wall_ms) == (wall_ms,)


def test_documents_whose_values_go_back_are_damaged() -> None:
    raw = bytearray(bson.encode({"a": {"b": {"c": 1}}, "d": "x"}))
    raw[7:11] = (-4).to_bytes(4, "little", signed=True)
    for write in (ExtendedJson().text, Row(["a", "a.b"]).cells):
        with pytest.raises(TransferFailedError, match="does not end in its document"):
            write(bytes(raw))


def test_the_ends_of_the_order_may_be_called_like_functions() -> None:
    (block,) = JsonReader(legacy=True).blocks([b"{a: MinKey(), b: MaxKey, c: [MaxKey()]}"])
    assert bson.decode(next(iter(block.raw()))) == {
        "a": MinKey(),
        "b": MaxKey(),
        "c": [MaxKey()],
    }
