"""Documents that are large, or as long as what is looked at for one: same result, little memory."""

from __future__ import annotations

import json
from typing import Any, cast

import bson
import pytest

from seawall.transfer.blocks import Block
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.insert import MAX_BATCH_BYTES, Inserter, Target
from seawall.transfer.readers import json_fast
from seawall.transfer.readers.json import JsonReader
from seawall.transfer.wire import Channel


@pytest.mark.parametrize(
    "value", ['"\\u00e9\\u00e9"', '"x\\n"', "12345.5e1", "[true, null]", '{"k": "\\ud83d\\ude00"}']
)
def test_documents_about_as_long_as_what_is_looked_at_for_one(value: str) -> None:
    size = json_fast.WINDOW_CHARACTERS
    for length in range(size - 40, size + 8):
        text = '{"pad": "' + "é" * (length - 30) + '", "v": ' + value + "}"
        for rest in ("", " " * 40, '{"w": 1}'):
            (block,) = JsonReader().blocks([(text + rest).encode()])
            first = bson.decode(next(iter(block.raw())))
            assert first == json.loads(text)


class Sent:
    """A channel that remembers how many documents came together, and how many bytes."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int]] = []

    def send(self, _: object, __: str, parts: list[Any], size: int, **___: bool) -> dict[str, Any]:
        self.batches.append((len(parts), size))
        return {"n": len(parts)}


def test_large_documents_do_not_wait_for_each_other_in_memory() -> None:
    sizes = [3_000_000, 3_000_000, 12_000_000, 100, 100, 16_777_216]
    channel = Sent()
    target = Target("c", ordered=False, stop_on_error=False, concern={"w": 1})
    inserter = Inserter([cast(Channel, channel)], target, lambda _: None)
    for size in sizes:
        inserter.write(Block(bytes(size), [size]))
    inserter.finish()
    assert sum(size for _, size in channel.batches) == sum(sizes)
    assert max(size for count, size in channel.batches if count > 1) <= MAX_BATCH_BYTES
    with pytest.raises(TransferFailedError, match="too large: 16777217 bytes"):
        Inserter([cast(Channel, Sent())], target, lambda _: None).write(
            Block(bytes(16_777_217), [16_777_217])
        )
