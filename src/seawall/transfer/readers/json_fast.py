"""Lines of JSON to documents by C parsers, where that gives what the exact parser gives.

orjson parses a line, bson's C encoder writes it. Both lose or accept things that
mongoimport does not: keys that come twice, numbers beyond 64 bits, deep nesting,
objects of Extended JSON. Each is looked for first; `IrregularError` sends the
document to the exact parser, so that there is one truth.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import bson
import orjson
from bson import Int64, ObjectId
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from seawall.transfer.blocks import Block, ObjectIds, block_of
from seawall.transfer.cells import pack_int32
from seawall.transfer.failures import IrregularError, TransferFailedError
from seawall.transfer.readers.extended import FIRST_KEYS, Pairs, encoded, unwrapped
from seawall.transfer.readers.json_exact import MAX_DEPTH

ID: Final = "_id"
DEEP_LINE_BYTES: Final = 2 * MAX_DEPTH
"""A shorter line cannot be nested too deep: each level has two brackets."""
WRAPPER_KEYS: Final = frozenset(key.decode() for key in FIRST_KEYS)
WINDOW_CHARACTERS: Final = 16 * 1024
"""Of the text, for one document. Whoever tells of an error counts all lines before it, so errors
in a text that is long cost much."""
LONGEST_ESCAPE: Final = 16
"""More than an escape or a word is long."""
PLAIN: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS
)
_KEY: Final = re.compile(rb'"[ \t\r]*:')
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-2][0-9]:[0-9]{2}:[0-9]{2}(?:\.[0-9]{3})?Z"
)


def documents_of_lines(piece: bytes, ids: ObjectIds | None) -> Block:
    """Return the documents of whole lines, one a line.

    Raises:
        IrregularError: The exact path has to read them.
    """
    lines = list(filter(None, piece.split(b"\n")))
    if not lines:
        return Block(b"", [])
    try:
        found = list(map(orjson.loads, lines))
    except orjson.JSONDecodeError:
        raise IrregularError from None
    if set(map(type, found)) != {dict}:
        raise IrregularError
    _check_keys(piece, found)
    if len(max(lines, key=len)) >= DEEP_LINE_BYTES:
        for line in lines:
            check_depth(line)
    if may_have_wrappers(piece):
        for each in found:
            resolve(each)
    return encoded_block(found, ids)


def may_have_wrappers(piece: bytes) -> bool:
    """Return whether a key may begin with ``$``."""
    return b'"$' in piece or b"\\u0024" in piece


def check_depth(line: bytes) -> None:
    """Leave to the exact parser what may be nested too deep."""
    if len(line) >= DEEP_LINE_BYTES and line.count(b"{") + line.count(b"[") >= MAX_DEPTH:
        raise IrregularError


def _check_keys(piece: bytes, found: Sequence[dict[str, Any]]) -> None:
    """Refuse keys that come twice: fewer came out of the parser than went in."""
    spaced = b" :" in piece or b"\t:" in piece or b"\r:" in piece
    if b"\\u0022" in piece:
        raise IrregularError
    went_in = len(_KEY.findall(piece)) if spaced else piece.count(b'":')
    if piece.count(b"{") == len(found):
        came_out = sum(map(len, found))
        if went_in == came_out:
            return
    again = orjson.dumps(found)
    came_out = len(_KEY.findall(again)) if spaced else again.count(b'":')
    if went_in != came_out:
        raise IrregularError


def encoded_block(found: Sequence[dict[str, Any]], ids: ObjectIds | None) -> Block:
    """Return dictionaries as BSON, each with an `_id` in front if it has none."""
    parts: list[bytes] = []
    encode = bson.encode
    try:
        if ids is None:
            return block_of([_in_order(each) if ID in each else encode(each) for each in found])
        counter = ids.reserve(len(found))
        head = b"\x07_id\0" + ids.head
        for number, each in enumerate(found, counter):
            if ID in each:
                parts.append(_in_order(each))
                continue
            raw = encode(each)
            identity = head + (number & 0xFFFFFF).to_bytes(3, "big")
            parts.append(pack_int32(len(raw) + 17) + identity + raw[4:])
    except (BSONError, OverflowError, UnicodeEncodeError, RecursionError):
        raise IrregularError from None
    return block_of(parts)


def _in_order(each: dict[str, Any]) -> bytes:
    """Encode with `_id` where it is; at the top level bson would put it first."""
    if next(iter(each)) == ID:
        return bson.encode(each)
    return bson.encode({"": each})[6:-1]


# Objects that stand for values


def resolve(found: dict[str, Any]) -> None:
    """Replace objects of Extended JSON by what they stand for, in place."""
    for key, value in found.items():
        kind = type(value)
        if kind is dict:
            found[key] = _meaning(value)
        elif kind is list:
            _resolve_list(value)


def _resolve_list(found: list[Any]) -> None:
    for index, value in enumerate(found):
        kind = type(value)
        if kind is dict:
            found[index] = _meaning(value)
        elif kind is list:
            _resolve_list(value)


def _meaning(value: dict[str, Any]) -> Any:
    first = next(iter(value), "")
    if first not in WRAPPER_KEYS:
        resolve(value)
        return value
    inside = value[first]
    if len(value) == 1 and type(inside) is str:
        if first == "$date" and _MOMENT.fullmatch(inside):
            try:
                return datetime.fromisoformat(inside[:-1])
            except ValueError:
                raise IrregularError from None
        if first == "$oid" and len(inside) == 24 and inside.isalnum() and inside.isascii():
            try:
                return ObjectId(inside)
            except BSONError:
                raise IrregularError from None
        digits = inside[1:] if inside[:1] == "-" else inside
        if first == "$numberLong" and len(digits) < 19 and digits.isascii() and digits.isdigit():
            return Int64(inside)
    return _by_the_table(value)


def _by_the_table(value: dict[str, Any]) -> Any:
    """Ask the table of the exact path; keep the answer if bson writes the same bytes for it."""
    try:
        kind, payload = unwrapped(_as_parsed(value), encoded)
    except TransferFailedError:
        raise IrregularError from None
    body = bytes((kind,)) + b"\0" + payload
    raw = pack_int32(len(body) + 5) + body + b"\0"
    try:
        meaning = bson.decode(raw, PLAIN)[""]
        same = bson.encode({"": meaning}) == raw
    except (BSONError, ValueError, OverflowError):
        raise IrregularError from None
    if not same:
        raise IrregularError
    return meaning


def _as_parsed(value: Any) -> Any:
    if isinstance(value, dict):
        try:
            return Pairs((key.encode(), _as_parsed(each)) for key, each in value.items())
        except UnicodeEncodeError:
            raise IrregularError from None
    if isinstance(value, list):
        return [_as_parsed(each) for each in value]
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise IrregularError from None
    return value


# Documents that are not one a line


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise IrregularError
    return found


def _no_constant(_: str) -> Any:
    raise IrregularError


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise IrregularError
    return number


_DECODER: Final[Any] = json.JSONDecoder(
    object_pairs_hook=_no_repetition, parse_constant=_no_constant, parse_float=_finite
)
_SCANNER: Final = _DECODER.scan_once


def scanned(text: str, at: int) -> tuple[dict[str, Any], int]:
    """Return the object at a position of text, and the position behind it.

    Raises:
        IrregularError: The exact path has to read it, or it goes on behind this text.
    """
    if text[at : at + 1] != "{":
        raise IrregularError
    window = text[at : at + WINDOW_CHARACTERS]
    try:
        found, end = _SCANNER(window, 0)
        end += at
    except (StopIteration, ValueError, RecursionError) as error:
        if len(window) < WINDOW_CHARACTERS or not _is_cut(error):
            raise IrregularError from None
        found, end = _scanned_whole(text, at)
    if end - at >= DEEP_LINE_BYTES:
        check_depth(text[at:end].encode("utf-8", "surrogateescape"))
    return found, end


def _is_cut(error: Exception) -> bool:
    """Return whether what failed in a window may go on behind it."""
    if isinstance(error, json.JSONDecodeError):
        return error.pos >= WINDOW_CHARACTERS - LONGEST_ESCAPE or "Unterminated" in error.msg
    return isinstance(error, StopIteration) and error.value >= WINDOW_CHARACTERS - LONGEST_ESCAPE


def _scanned_whole(text: str, at: int) -> tuple[dict[str, Any], int]:
    try:
        found, end = _SCANNER(text, at)
    except (StopIteration, ValueError, RecursionError):
        raise IrregularError from None
    return found, end
