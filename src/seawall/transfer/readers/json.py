"""Reads JSON: a row of objects, or one array of them, in blocks of documents.

Three ways lead to the same documents: whole lines by orjson, objects by Python's
C scanner, and the exact parser for what both leave (`json_fast`, `json_exact`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from seawall.transfer.blocks import Block, ObjectIds, block_of
from seawall.transfer.cells import pack_int32
from seawall.transfer.failures import IrregularError, TransferFailedError
from seawall.transfer.readers import json_fast
from seawall.transfer.readers.extended import Pairs, document, kind_name
from seawall.transfer.readers.json_cut import (
    MAX_DOCUMENT_BYTES,
    JsonCutError,
    cut_error,
    end_of_value,
    shown,
    skip_white,
)
from seawall.transfer.readers.json_exact import Parser
from seawall.transfer.readers.json_legacy import LegacyParser

MAX_MISSES: Final = 3
"""Pieces that are not one object a line, until that is no longer tried."""
BAD_ARRAY: Final = "bad JSON array format - found"

LARGE_BYTES: Final = 5 * 1024 * 1024
"""More than two pieces of a file: a document that is so large is not copied as often by the
exact parser."""
FAST_FROM_BYTES: Final = 256 * 1024
"""Less input than this in all does not pay for loading Arrow."""

BadDocument = Callable[[bytes, str], None]


class JsonReader:
    """Reads documents.

    Args:
        ids: Makes the `_id` of documents that have none; None leaves them without.
        array: The input is one array.
        legacy: Read the shell's grammar, and the older objects that stand for values.
        bad_document: Is told of each document that cannot be read; None ends at the first.
    """

    def __init__(
        self,
        *,
        ids: ObjectIds | None = None,
        array: bool = False,
        legacy: bool = False,
        bad_document: BadDocument | None = None,
    ) -> None:
        self._ids = ids
        self._array = array
        self._legacy = legacy
        self._bad_document = bad_document
        self._misses = self._shapeless = 0
        self._seen = 0
        self._columns: Any = None
        self._cut = 0
        self._line = 1
        self._pending = b""
        self._opened = self._closed = self._needs_comma = False
        self._error: TransferFailedError | None = None

    def blocks(self, chunks: Iterable[bytes]) -> Iterator[Block]:
        """Yield the documents of the input, in its order.

        Raises:
            TransferFailedError: Something in it is no document; all before it was yielded.
        """
        for chunk in chunks:
            self._pending += chunk
            yield from self._lines()
            yield from self._objects(final=False)
        yield from self._objects(final=True)
        if self._array and not self._closed:
            raise self._array_error("no closing bracket ']' in input source")

    # One object a line

    def _lines(self) -> Iterator[Block]:
        if self._array or self._misses >= MAX_MISSES:
            return
        end = self._pending.rfind(b"\n") + 1
        piece = self._pending[:end]
        if not piece or len(piece) > LARGE_BYTES:
            return
        if self._legacy and json_fast.may_have_wrappers(piece):
            return
        try:
            block = self._by_columns(piece) or json_fast.documents_of_lines(piece, self._ids)
        except IrregularError:
            self._misses += 1
            return
        self._misses = 0
        self._cut += len(block)
        self._line += piece.count(b"\n")
        self._pending = self._pending[end:]
        if len(block):
            yield block

    def _by_columns(self, piece: bytes) -> Block | None:
        """Return the documents of lines of one shape, None if they are not."""
        self._seen += len(piece)
        if self._shapeless >= MAX_MISSES or self._seen < FAST_FROM_BYTES:
            return None
        if self._columns is None:
            self._columns = _load_columns(self._ids)
        try:
            block: Block = self._columns.convert(piece)
        except IrregularError:
            self._shapeless += 1
            return None
        self._shapeless = 0
        return block

    # Objects anywhere

    def _objects(self, *, final: bool) -> Iterator[Block]:
        if self._closed or not self._pending:
            if self._pending:
                self._after_array()
            self._raise()
            return
        found, used = self._documents(self._pending, final)
        self._line += self._pending.count(b"\n", 0, used)
        self._pending = self._pending[used:]
        if found:
            yield block_of(found)
        if self._closed and self._error is None:
            self._after_array()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _documents(self, data: bytes, final: bool) -> tuple[list[bytes], int]:
        """Return the documents that end in the data, and how much of the data was read."""
        found: list[bytes] = []
        text = self._text(data)
        at = place = 0  # the same position, in bytes and in characters
        while self._error is None:
            start = self._step(data, at)
            place, at = place + start - at, start
            if at >= len(data) or self._closed or self._error is not None:
                break
            raw, end = self._scanned(text, place)
            if raw is None:
                raw, stop = self._exact(data, at, final)
                if stop < 0:
                    break
                end = place + len(data[at:stop].decode("utf-8", "surrogateescape"))
            else:
                stop = at + _width(text, place, end)
            at, place = stop, end
            self._needs_comma = True
            self._cut += 1
            if raw:
                found.append(raw)
        return found, at

    def _step(self, data: bytes, at: int) -> int:
        """Return where the next document begins, behind white space and a comma."""
        at = skip_white(data, at)
        if at >= len(data) or not self._array:
            return at
        at = self._separator(data, at)
        return at if self._closed or self._error is not None else skip_white(data, at)

    def _text(self, data: bytes) -> str | None:
        if len(data) > LARGE_BYTES or (self._legacy and json_fast.may_have_wrappers(data)):
            return None
        return data.decode("utf-8", "surrogateescape")

    def _scanned(self, text: str | None, place: int) -> tuple[bytes | None, int]:
        """Return a document by the C scanner, and its end in the text; None if it cannot."""
        if text is None:
            return None, -1
        try:
            value, end = json_fast.scanned(text, place)
            if "$" in text[place:end] or "\\u0024" in text[place:end]:
                json_fast.resolve(value)
            block = json_fast.encoded_block([value], self._ids)
        except IrregularError:
            return None, -1
        return bytes(block.data), end

    def _exact(self, data: bytes, at: int, final: bool) -> tuple[bytes, int]:
        """Return a document by the exact parser, and its end; -1 if it does not end here."""
        end = at
        try:
            end = end_of_value(data, at, final=final)
            if end < 0:
                return b"", -1
            return self._encoded(self._parsed(data[at:end])), end
        except JsonCutError as error:
            failure = cut_error(self._cut + 1, error)
            # One goes on behind the line, and the rest of it may not be here yet.
            end = data.find(b"\n", at) + 1
            waits = self._bad_document is not None and len(data) - at <= MAX_DOCUMENT_BYTES
            if not end and waits and not final:
                return b"", -1
            end = end or len(data)
        except TransferFailedError as error:
            failure = error
            line = self._line + data.count(b"\n", 0, at)
            place = f"document #{self._cut + 1}, line {line}"
            failure.hint = f"{place}: {error.hint}" if error.hint else place
        if self._bad_document is None:
            self._error = failure
            return b"", -1
        self._bad_document(data[at:end], failure.message)
        return b"", end

    def _parsed(self, data: bytes) -> Any:
        if self._legacy:
            return LegacyParser(data).document(self._cut)
        return Parser(data).value()

    def _encoded(self, value: Any) -> bytes:
        if value is None:
            return b""
        if not isinstance(value, Pairs):
            raise TransferFailedError(
                f"cannot decode {kind_name(value)} into a bson.D",
                hint="if the file is one array of documents: --jsonArray"
                if isinstance(value, list)
                else "each document has to be an object, {...}",
            )
        raw = document(value)
        if self._ids is None or any(key == b"_id" for key, _ in value):
            return raw
        return pack_int32(len(raw) + 17) + b"\x07_id\0" + self._ids.next() + raw[4:]

    # Arrays

    def _separator(self, data: bytes, at: int) -> int:
        """Step over a bracket or a comma; return the position behind it."""
        character = data[at : at + 1]
        if not self._opened:
            if character != b"[":
                self._error = self._array_error("no opening bracket '[' in input source")
                return at
            self._opened = True
            at = skip_white(data, at + 1)
            if data[at : at + 1] == b"]":
                # The original calls an empty array an error; an empty file is none.
                self._closed = True
                return at + 1
            return at
        if not self._needs_comma:
            self._closed = character == b"]" and self._cut == 0
            return at + self._closed
        if character == b"]":
            self._closed = True
            return at + 1
        if character != b",":
            what = f"{shown(character)} outside JSON object/array in input source"
            self._error = self._array_error(what)
            return at
        self._needs_comma = False
        return at + 1

    def _after_array(self) -> None:
        at = skip_white(self._pending, 0)
        if at < len(self._pending):
            what = f"{shown(self._pending[at : at + 1])} after ']' in input source"
            self._error = self._array_error(what)
        self._pending = b""

    def _array_error(self, what: str) -> TransferFailedError:
        return TransferFailedError(
            f"error reading separator after document #{self._cut + 1}: {BAD_ARRAY} {what}"
        )


def _load_columns(ids: ObjectIds | None) -> Any:
    try:
        # Arrow takes longer to load than a small file to import, and not every machine has it.
        return importlib.import_module("seawall.transfer.json_columns").JsonColumns(ids)
    except ImportError:  # pragma: no cover  a platform without pyarrow
        return _NoColumns()


class _NoColumns:
    def convert(self, _: bytes) -> Block:
        raise IrregularError


def _width(text: str | None, start: int, end: int) -> int:
    """Return how many bytes the characters are."""
    if text is None or text.isascii():
        return end - start
    return len(text[start:end].encode("utf-8", "surrogateescape"))
