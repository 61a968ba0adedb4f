"""What mongoexport 100.8.0 wrote of generated documents, byte for byte; and what we mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import Binary

from seawall.cli.export_flags import export_options, read_line
from seawall.operations.export_documents import writer_of
from seawall.transfer.export.cells import Row
from seawall.transfer.export.extended import ExtendedJson

PATH = Path(__file__).with_name("data") / "mongoexport-100.8.0.json"
VECTORS: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
DOCUMENTS = [bytes.fromhex(each) for each in VECTORS["documents"]]


@pytest.mark.parametrize("form", sorted(VECTORS["outputs"]))
def test_output_is_that_of_the_original(form: str) -> None:
    known = VECTORS["outputs"][form]
    out = bytearray()
    writer = writer_of(export_options(read_line(known["arguments"])).output, out.extend)
    writer.begin()
    for each in DOCUMENTS:
        writer.document(each)
    writer.end()
    assert out.decode("utf-8", "surrogateescape") == known["output"]


def test_the_documents_hold_every_type() -> None:
    kinds = {kind for each in DOCUMENTS for kind in _kinds(each)}
    everything = {*range(1, 20), 0x7F, 0xFF} - {0x0E}
    assert kinds >= everything, f"missing: {everything - kinds}"


def _kinds(document: bytes) -> set[int]:
    from seawall.transfer.export.cells import members

    return {kind for kind, _ in members(document, 0).values()}


def test_an_empty_binary_of_the_old_subtype_is_empty() -> None:
    """The original writes four zeros, its length, which come back as four bytes of data."""
    raw = bson.encode({"a": Binary(b"", 2)})
    assert ExtendedJson().text(raw) == '{"a":{"$binary":{"base64":"","subType":"02"}}}'


def test_cells_of_the_old_subtype_are_whole() -> None:
    """The original cuts four bytes off, or writes ``%!v(PANIC=...)`` if there are fewer."""
    for raw in (b"abc", b"abcd", b"abcdefg"):
        assert Row(["a"]).cells(bson.encode({"a": Binary(raw, 2)})) == [raw.hex().upper()]


def test_symbols_have_cells() -> None:
    """The original ends with an error, whichever field the symbol is in."""
    raw = b"\x0e\x00\x00\x00\x0ea\x00\x02\x00\x00\x00s\x00\x00"
    assert Row(["a", "b"]).cells(raw) == ["s", ""]
