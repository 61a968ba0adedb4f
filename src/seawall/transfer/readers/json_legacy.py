"""The shell's JSON: bare keys, single quotes, constructors, and the first extended JSON.

Source: section 13.3 of the facts about mongoimport.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any, Final

from seawall.transfer import cells
from seawall.transfer.cells import Element, MisfitError, pack_int32, pack_int64
from seawall.transfer.failures import TransferFailedError
from seawall.transfer.layout_elements import LayoutMismatchError
from seawall.transfer.layouts import layout_of
from seawall.transfer.readers import extended
from seawall.transfer.readers.extended import Pairs, problem
from seawall.transfer.readers.json_exact import WORDS, Parser, unescaped

DATES: Final = tuple(
    layout_of(f"2006-01-02T{clock}{zone}")
    for clock in ("15:04:05.999", "15:04")
    for zone in ("Z07:00", "Z0700")
)
MAX_DIGITS: Final = 400
"""Of an integer; more are beyond the doubles."""
MAX_CONSTRUCTORS: Final = 16
"""One in the other; two are all that make sense."""
REGEX_OPTIONS: Final = frozenset(b"gims")
_SINGLE: Final = re.compile(rb"'((?:[^'\\\x00-\x1f]++|\\(?:[\"'\\/bfnrt]|u[0-9a-fA-F]{4}))*+)'")
_DOUBLE: Final = re.compile(rb"\"((?:[^\"\\\x00-\x1f]++|\\(?:[\"'\\/bfnrt]|u[0-9a-fA-F]{4}))*+)\"")
_KEY: Final = re.compile(rb"[A-Za-z_$][A-Za-z0-9_$]*+")
_NUMBER: Final = re.compile(
    rb"([+-]?)(?:(0[xX][0-9a-fA-F]+)|((?:0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|(Infinity|NaN))"
)
_REGEX: Final = re.compile(rb"/((?:[^/\\\n]++|\\.)++)/([a-z]*)")
_NAME: Final = re.compile(rb"(?:new[ \t\r\n]+)?([A-Za-z]+)[ \t\r\n]*+")


class Typed(tuple[int, bytes]):
    """An element, as the parser hands it on."""

    __slots__ = ()


def typed(element: Element) -> Typed:
    """Return an element marked as one."""
    return Typed(element)


class LegacyParser(Parser):
    """Parses one value of the shell's grammar."""

    _constructors = 0

    def document(self, number: int) -> Any:
        """Return the document; errors name its number, from 0."""
        try:
            value = self.value()
        except TransferFailedError as error:
            error.message = f"error unmarshaling bytes on document #{number}: {error.message}"
            raise
        if not isinstance(value, Pairs):
            raise TransferFailedError(
                f"error unmarshaling bytes on document #{number}: the document is no object",
                hint="if the file is one array of documents: --jsonArray",
            )
        try:
            return Pairs((key, _meaning(each)) for key, each in value)
        except TransferFailedError as error:
            error.message = f"error getting extended BSON for document #{number}: {error.message}"
            raise

    def _begins_string(self, first: bytes) -> bool:
        return first in {b'"', b"'"}

    def _key(self) -> bytes:
        found = _KEY.match(self.data, self.at)
        if found is None:
            return self._string()
        self.at = found.end()
        return found.group()

    def _string(self) -> bytes:
        found = _DOUBLE.match(self.data, self.at) or _SINGLE.match(self.data, self.at)
        if found is None:
            raise self._bad()
        self.at = found.end()
        return unescaped(found[1])

    def _scalar(self) -> Any:
        if found := _REGEX.match(self.data, self.at):
            self.at = found.end()
            return typed(_regex(found[1].replace(b"\\/", b"/"), found[2]))
        if found := _NUMBER.match(self.data, self.at):
            self.at = found.end()
            return _number(found)
        for word, meaning in WORDS:
            if self.data.startswith(word, self.at):
                self.at += len(word)
                return meaning
        return self._constructed()

    def _constructed(self) -> Any:
        found = _NAME.match(self.data, self.at)
        if found is None:
            raise self._bad()
        name = found[1].decode()
        if name in _CONSTANTS:
            self.at += len(found.group().rstrip())
            if self.data[self.at : self.at + 2] == b"()" and name != "undefined":
                self.at += 2
            return typed(_CONSTANTS[name])
        if name not in _CONSTRUCTORS:
            raise self._bad()
        self.at = found.end()
        if self.data[self.at : self.at + 1] != b"(" or self._constructors >= MAX_CONSTRUCTORS:
            raise self._bad()
        self._constructors += 1
        arguments = self._nested(self._arguments)
        self._constructors -= 1
        return typed(_CONSTRUCTORS[name](arguments))

    def _arguments(self) -> list[Any]:
        found: list[Any] = []
        self._skip_white()
        while not self._take(b")"):
            if found:
                self._expect(b",")
            found.append(self.value())
            self._skip_white()
        return found


def _number(found: re.Match[bytes]) -> Any:
    sign = -1 if found[1] == b"-" else 1
    if found[2]:
        return sign * int(found[2], 16)
    if found[6]:
        number = math.inf if found[6] == b"Infinity" else math.nan
        return sign * number
    is_whole = found[4] is None and found[5] is None and not found[3].startswith(b".")
    if is_whole and len(found[3]) < MAX_DIGITS:
        return sign * int(found[3])
    value = float(found.group())
    if math.isinf(value):
        raise problem(f"{found.group()[:40].decode()} is out of range")
    return value


# Constructors


def _text(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise problem("expected a string")
    return value


def _integer(value: Any, kind: Callable[[int], bytes], bits: int) -> bytes:
    if isinstance(value, bytes):
        text = value.decode("ascii", "replace")
        sign = -1 if text.startswith("-") else 1
        digits = text.lstrip("+-")
        octal = re.fullmatch(r"0[0-7]+", digits)
        try:
            value = sign * int(digits, 8 if octal else 0)
        except ValueError:
            raise problem(f"expected a number, not '{text}'") from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise problem(f"expected a number of {bits} bits")
    return kind(value)


def _one(arguments: list[Any]) -> Any:
    if len(arguments) != 1:
        raise problem("expected one argument")
    return arguments[0]


def _two(arguments: list[Any]) -> tuple[Any, Any]:
    if len(arguments) != 2:
        raise problem("expected two arguments")
    return arguments[0], arguments[1]


def _date(value: Any) -> Element:
    if isinstance(value, int) and not isinstance(value, bool):
        return cells.DATE, _integer(value, pack_int64, 64)
    text = _text(value).decode("utf-8", "replace")
    for layout in DATES:
        try:
            return cells.DATE, pack_int64(layout.milliseconds(text))
        except LayoutMismatchError:
            continue
    raise problem("unexpected ISODate format")


def _object_id(value: Any) -> Element:
    if isinstance(value, Typed) and value[0] == cells.OBJECT_ID:
        return value
    return extended.WRAPPERS[b"$oid"](_text(value))


def _regex(pattern: bytes, options: bytes) -> Element:
    for each in options:
        if each not in REGEX_OPTIONS:
            raise problem(f"invalid regular expression option '{chr(each)}'")
    if b"\0" in pattern:
        raise problem("a regular expression cannot contain null bytes")
    return extended.REGEX, pattern + b"\0" + options + b"\0"


def _binary(arguments: list[Any]) -> Element:
    subtype, text = _two(arguments)
    if not isinstance(subtype, int) or not 0 <= subtype < 256:
        raise problem("expected a number from 0 to 255")
    return extended.packed_binary(extended.from_base64(text), subtype)


def _timestamp(arguments: list[Any]) -> Element:
    try:
        seconds, counter = _two(arguments)
        return extended.TIMESTAMP, struct.pack("<II", counter, seconds)
    except struct.error:
        raise problem("expected two numbers of 32 bits") from None


def _pointer(arguments: list[Any]) -> Element:
    name, identity = _two(arguments)
    text = _text(name)
    raw = pack_int32(len(text) + 1) + text + b"\0"
    return extended.DB_POINTER, raw + _object_id(identity)[1]


def _boolean(arguments: list[Any]) -> Element:
    value = arguments[0] if arguments else False
    return cells.BOOL, b"\1" if value not in (0, b"", None, False) else b"\0"


def _regular(arguments: list[Any]) -> Element:
    pattern = _text(arguments[0]) if arguments else b""
    return _regex(pattern, _text(arguments[1]) if len(arguments) > 1 else b"")


def _reference(arguments: list[Any]) -> Element:
    raise problem("conversion of a DBRef is not supported")


_CONSTANTS: Final[dict[str, Element]] = {
    "MinKey": (extended.MIN_KEY, b""),
    "MaxKey": (extended.MAX_KEY, b""),
    "undefined": (extended.UNDEFINED, b""),
}
_CONSTRUCTORS: Final[dict[str, Callable[[list[Any]], Element]]] = {
    "ObjectId": lambda found: _object_id(_one(found)),
    "ISODate": lambda found: _date(_one(found)),
    "Date": lambda found: _date(_one(found)),
    "NumberLong": lambda found: (cells.INT64, _integer(_one(found), pack_int64, 64)),
    "NumberInt": lambda found: (cells.INT32, _integer(_one(found), pack_int32, 32)),
    "Timestamp": _timestamp,
    "BinData": _binary,
    "Boolean": _boolean,
    "RegExp": _regular,
    "DBPointer": _pointer,
    "Dbpointer": _pointer,
    "DBRef": _reference,
    "Dbref": _reference,
}


# Objects that stand for values


def _meaning(value: Any) -> Any:
    if isinstance(value, Pairs):
        names = frozenset(key for key, _ in value)
        if len(names) == len(value) and names in _OBJECTS:
            members = dict(value)
            return typed(_OBJECTS[names](members))
        return _Plain((key, _meaning(each)) for key, each in value)
    if isinstance(value, list):
        return [_meaning(each) for each in value]
    return value


class _Plain(Pairs):
    """An object that stands for itself, whatever its first key is."""

    may_stand_for_value = False


def _numeral(
    key: bytes, kind: int, pack: Callable[[int], bytes], bits: int
) -> Callable[[dict[bytes, Any]], Element]:
    def read(members: dict[bytes, Any]) -> Element:
        if not isinstance(members[key], bytes):
            raise problem(f"expected {key.decode()} field to have string value")
        return kind, _integer(members[key], pack, bits)

    return read


def _decimal(members: dict[bytes, Any]) -> Element:
    try:
        return cells.decimal(_text(members[b"$numberDecimal"]).decode("utf-8", "replace"))
    except MisfitError as error:
        raise problem(f"invalid $numberDecimal string: {error}") from None


def _moment(members: dict[bytes, Any]) -> Element:
    value = _meaning(members[b"$date"])
    if isinstance(value, Typed):
        return cells.DATE, value[1]
    return _date(value)


def _scoped(members: dict[bytes, Any]) -> Element:
    scope = _meaning(members[b"$scope"])
    if not isinstance(scope, Pairs):
        raise problem("expected $scope field to contain map")
    code = _text(members[b"$code"])
    body = pack_int32(len(code) + 1) + code + b"\0" + extended.document(scope)
    return extended.SCOPED_CODE, pack_int32(len(body) + 4) + body


_OBJECTS: Final[dict[frozenset[bytes], Callable[[dict[bytes, Any]], Element]]] = {
    frozenset({b"$oid"}): lambda m: _object_id(m[b"$oid"]),
    frozenset({b"$date"}): _moment,
    frozenset({b"$numberLong"}): _numeral(b"$numberLong", cells.INT64, pack_int64, 64),
    frozenset({b"$numberInt"}): _numeral(b"$numberInt", cells.INT32, pack_int32, 32),
    frozenset({b"$numberDecimal"}): _decimal,
    frozenset({b"$timestamp"}): lambda m: extended.WRAPPERS[b"$timestamp"](m[b"$timestamp"]),
    frozenset({b"$undefined"}): lambda m: (extended.UNDEFINED, b""),
    frozenset({b"$minKey"}): lambda m: (extended.MIN_KEY, b""),
    frozenset({b"$maxKey"}): lambda m: (extended.MAX_KEY, b""),
    frozenset({b"$code"}): lambda m: extended.WRAPPERS[b"$code"](m[b"$code"]),
    frozenset({b"$code", b"$scope"}): _scoped,
    frozenset({b"$regex", b"$options"}): lambda m: _regex(
        _text(m[b"$regex"]), _text(m[b"$options"])
    ),
    frozenset({b"$binary", b"$type"}): lambda m: extended.packed_binary(
        extended.from_base64(m[b"$binary"]), extended.subtype_of(m[b"$type"])
    ),
}
