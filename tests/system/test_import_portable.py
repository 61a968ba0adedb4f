"""Batches through the driver's public interface, where there is no connection to borrow."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import bson
import pytest
from pymongo import MongoClient

from seawall.testing.wire_sink import WireSink
from seawall.transfer import wire
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.wire import Channel

pytestmark = pytest.mark.system

COMMAND = {"insert": "posts", "ordered": False, "writeConcern": {"w": 1}}
DOCUMENTS = [bson.encode({"_id": n, "a": {"b": [n, "é", None]}}) for n in range(50)]


def seawall(*arguments: str, data: bytes) -> tuple[int, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "seawall", "import", *arguments],
        input=data,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return ended.returncode, ended.stderr.decode()


def sent(raw: bool, documents: list[bytes], *, retries: bool = False) -> list[tuple[Any, Any]]:
    with WireSink(keep=True) as sink, MongoClient[Any]("127.0.0.1", sink.port) as client:
        channel = Channel(client, "blog", retries=retries, raw=raw)
        size = sum(map(len, documents))
        reply = channel.send(COMMAND, "documents", documents, size, acknowledged=True)
        assert reply["n"] == len(documents)
        return [(each.body, each.documents) for each in sink.messages if "insert" in each.body]


def test_the_same_is_sent() -> None:
    ((body, documents),) = sent(True, DOCUMENTS)
    ((portable_body, portable_documents),) = sent(False, DOCUMENTS)
    assert documents == portable_documents == DOCUMENTS
    for name, value in COMMAND.items():
        assert body[name] == portable_body[name] == value
    assert body["$db"] == portable_body["$db"] == "blog"


def test_a_driver_without_the_connection_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MongoClient, "_conn_for_writes")
    monkeypatch.delattr(Channel, "_once")
    ((_, documents),) = sent(True, DOCUMENTS)
    assert documents == DOCUMENTS


def test_large_batches_go_in_commands_of_the_size_of_a_document() -> None:
    large = [bson.encode({"_id": n, "x": "x" * (6 << 20)}) for n in range(5)]
    whole = [bson.encode({"_id": 9, "x": "x" * ((16 << 20) - 40)})]
    found = sent(False, large + whole)
    assert [len(documents) for _, documents in found] == [2, 2, 1, 1]
    assert [each for _, documents in found for each in documents] == large + whole


def test_nothing_is_sent_twice_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that hangs up may have written the batch."""
    taken = 0

    def hang_up(*_: Any) -> int:
        nonlocal taken
        taken += 1
        raise OSError

    monkeypatch.setattr(WireSink, "_take", hang_up)
    with pytest.raises(TransferFailedError, match="connection lost"):
        sent(False, DOCUMENTS, retries=True)
    assert taken == 1


@pytest.mark.parametrize("more", [(), ("--compressors", "zlib")])
def test_modes_and_errors_are_the_same(
    mongodb_uri: str, mongo_db: Any, more: tuple[str, ...]
) -> None:
    """With a compressor the driver has to pack each message, so it gets them."""
    place = ("--uri", mongodb_uri, "-d", mongo_db.name, "-c", "posts", *more)
    posts = mongo_db.posts
    lines = b"".join(b'{"_id":%d}\n' % n for n in range(2500))
    assert "2500 document(s) imported successfully. 0" in seawall(*place, data=lines)[1]
    status, words = seawall(*place, data=b'{"_id":1}{"_id":2}{"_id":-1}')
    assert (status, "1 document(s) imported successfully. 2 doc" in words) == (0, True), words
    order = ("--maintainInsertionOrder",)
    status, words = seawall(*place, *order, data=b'{"_id":-2}{"_id":1}{"_id":-3}')
    assert (status, "1 document(s) imported successfully. 1 doc" in words) == (1, True), words
    assert posts.count_documents({"_id": -3}) == 0
    by_k = ("--upsertFields", "k")
    status, words = seawall(*place, *by_k, data=b'{"k":"a","n":5}{"k":"b","n":6}')
    assert (status, "2 document(s) imported" in words) == (0, True), words
    seawall(*place, "--mode", "merge", *by_k, data=b'{"k":"a","m":1}')
    assert posts.find_one({"k": "a"}, {"_id": 0}) == {"k": "a", "n": 5, "m": 1}
    _, words = seawall(*place, "--mode", "delete", *by_k, data=b'{"k":"b"}{"k":"none"}')
    assert "1 document(s) deleted successfully. 0 document(s) failed to delete." in words
    assert seawall(*place, "--writeConcern", "{w:0}", data=b'{"_id":-9}')[0] == 0


def test_the_size_of_a_command_is_what_servers_take() -> None:
    assert wire.MAX_COMMAND_BYTES < (16 << 20) + (16 << 10)
