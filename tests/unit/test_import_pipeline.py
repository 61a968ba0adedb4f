"""Whole inputs, cut anywhere: fast and exact pieces follow each other without a seam."""

from __future__ import annotations

import random
from collections.abc import Iterator

import bson
import pytest

from seawall.transfer import documents, options
from seawall.transfer.blocks import ObjectIds
from seawall.transfer.failures import TransferFailedError

ROWS = 30_000
ODD_ROWS = (
    '"a ""quoted"" cell",2,3',
    '" padded ",x,1',
    "short",
    "1,2,3,4",
    '"two\nlines",1,2',
    " 7 , 8 ,9",
    "é,\u00a0x,1e5",
    "",
)


def lines_of(seed: int, odd: float) -> list[str]:
    source = random.Random(seed)
    rows = []
    for number in range(ROWS):
        if source.random() < odd:
            rows.append(source.choice(ODD_ROWS))
        else:
            rows.append(f"{number},name {source.randrange(99)},{source.uniform(-9, 9):.3f}")
    return rows


def chunks_of(data: bytes, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    start = 0
    while start < len(data):
        size = source.choice([65_536, 200_000, 500_000])
        yield data[start : start + size]
        start += size


def read(asked: options.InputOptions, data: bytes, seed: int) -> tuple[list[bytes], str]:
    skipped = documents.Skipped(lambda _: None, lambda _: None)
    found: list[bytes] = []
    try:
        ids = ObjectIds(1, b"fives", 0)
        for block in documents.Documents(asked, ids, skipped).start(chunks_of(data, seed)):
            found += [raw[21:] if raw[5:9] == b"_id\0" else raw for raw in block.raw()]
    except TransferFailedError as error:
        return found, error.message
    return found, ""


@pytest.mark.parametrize("odd", [0.0, 0.0002, 0.01])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_csv(monkeypatch: pytest.MonkeyPatch, odd: float, seed: int, ending: str) -> None:
    data = ending.join(["a,b,c", *lines_of(seed, odd)]).encode()
    asked = options.InputOptions(type="csv", headerline=True)
    fast = read(asked, data, seed)
    monkeypatch.setattr(documents, "FAST_FROM_BYTES", 1 << 40)
    assert fast == read(asked, data, seed + 7)
    assert len(fast[0]) > ROWS * 0.98


@pytest.mark.parametrize("broken", ['1,x"y,3', '"never closed,2,3', '"a"b,2,3'])
def test_everything_before_a_broken_row_is_read(broken: str) -> None:
    rows = [f"{number},b,c" for number in range(ROWS)]
    rows[20_000] = broken
    data = ("a,b,c\n" + "\n".join(rows) + "\n").encode()
    found, error = read(options.InputOptions(type="csv", headerline=True), data, 1)
    assert len(found) == 20_000
    assert "read error on entry #20001: line " in error
    fields = "a.int32(),b.string(),c.string()"
    typed = options.InputOptions(type="csv", fields=fields, columns_have_types=True)
    rows[20_000] = "x,b,c"
    found, error = read(typed, ("\n".join(rows) + "\n").encode(), 1)
    assert len(found) == 20_000
    assert "in document #20000 for column 'a'" in error


@pytest.mark.parametrize("array", [False, True])
@pytest.mark.parametrize("pretty", [False, True])
def test_json(array: bool, pretty: bool) -> None:
    source = random.Random(3)
    rows = []
    for number in range(ROWS):
        text = (
            f'{{"n": {number}, "t": "name {source.randrange(99)}", "f": {source.uniform(-9, 9)}}}'
        )
        if source.random() < 0.001:
            text = text.replace("}", ', "é": {"$date": "2020-01-02T03:04:05Z"}, "n": null}')
        rows.append(text.replace(", ", ",\n  ") if pretty else text)
    data = ("[" + ",\n".join(rows) + "]" if array else "\n".join(rows)).encode()
    found, error = read(options.InputOptions(json_array=array), data, 1)
    assert error == ""
    assert len(found) == ROWS
    numbers = [int.from_bytes(raw[3:7], "little") for raw in found]
    assert numbers == list(range(ROWS))
    assert sum(b"\xc3\xa9\0" in raw for raw in found) > 5
    whole = [bson.decode((len(raw) + 4).to_bytes(4, "little") + raw)["t"] for raw in found]
    assert all(each.startswith("name ") for each in whole)


def test_everything_before_broken_json_is_read() -> None:
    rows = [f'{{"n": {number}}}' for number in range(ROWS)]
    rows[20_000] = '{"n": }'
    found, error = read(options.InputOptions(), "\n".join(rows).encode(), 1)
    assert len(found) == 20_000
    assert "Position: 6. Character: }" in error
