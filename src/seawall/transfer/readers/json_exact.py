"""JSON, byte by byte where it has to be: strings keep bytes that are no UTF-8, keys may repeat.

`Parser` is strict (RFC 8259, without what mongoimport refuses); `legacy.LegacyParser`
builds on it. Values: bytes, int, float, bool, None, list, `Pairs`, or an element.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from seawall.transfer.failures import TransferFailedError
from seawall.transfer.readers.extended import Pairs

MAX_DEPTH: Final = 200
WHITE: Final = re.compile(rb"[ \t\r\n]*+")
STRING: Final = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"')
NUMBER: Final = re.compile(rb"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ESCAPE: Final = re.compile(rb"(?:\\u[0-9a-fA-F]{4})+|\\.", re.DOTALL)
ESCAPES: Final = {
    b'\\"': b'"',
    b"\\'": b"'",
    b"\\\\": b"\\",
    b"\\/": b"/",
    b"\\b": b"\b",
    b"\\f": b"\f",
    b"\\n": b"\n",
    b"\\r": b"\r",
    b"\\t": b"\t",
}
WORDS: Final = ((b"true", True), (b"false", False), (b"null", None))
_LONE: Final = re.compile("[\ud800-\udfff]")


def unescaped(raw: bytes) -> bytes:
    """Return the text of a string; halves of a surrogate pair alone become U+FFFD."""
    return ESCAPE.sub(_unescape, raw) if b"\\" in raw else raw


def _unescape(found: re.Match[bytes]) -> bytes:
    escape = found.group()
    if escape[1:2] != b"u":
        return ESCAPES[escape]
    units = bytes.fromhex(escape.replace(b"\\u", b"").decode())
    text = units.decode("utf-16-be", "surrogatepass")
    return _LONE.sub("\ufffd", text).encode()


class Parser:
    """Parses one value.

    Args:
        data: Bytes that hold it.
        position: Where it begins.
    """

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.at = position
        self._start = position
        self._depth = 0

    def value(self) -> Any:
        """Return the next value.

        Raises:
            TransferFailedError: There is none.
        """
        self._skip_white()
        first = self.data[self.at : self.at + 1]
        if first == b"{":
            return self._nested(self._object)
        if first == b"[":
            return self._nested(self._array)
        if self._begins_string(first):
            return self._string()
        return self._scalar()

    def _nested(self, read: Any) -> Any:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TransferFailedError(
                f"invalid JSON input; nesting too deep ({self._depth} levels) "
                f"at position {self.at - self._start}"
            )
        self.at += 1
        found = read()
        self._depth -= 1
        return found

    def _object(self) -> Any:
        pairs = Pairs()
        self._skip_white()
        if self._take(b"}"):
            return pairs
        while True:
            self._skip_white()
            key = self._key()
            self._skip_white()
            self._expect(b":")
            pairs.append((key, self.value()))
            self._skip_white()
            if self._take(b"}"):
                return self._finished(pairs)
            self._expect(b",")

    def _array(self) -> Any:
        found: list[Any] = []
        self._skip_white()
        if self._take(b"]"):
            return found
        while True:
            found.append(self.value())
            self._skip_white()
            if self._take(b"]"):
                return found
            self._expect(b",")

    def _finished(self, pairs: Pairs) -> Any:
        return pairs

    def _begins_string(self, first: bytes) -> bool:
        return first == b'"'

    def _key(self) -> bytes:
        return self._string()

    def _string(self) -> bytes:
        found = STRING.match(self.data, self.at)
        if found is None:
            raise self._bad()
        self.at = found.end()
        return unescaped(found[1])

    def _scalar(self) -> Any:
        found = NUMBER.match(self.data, self.at)
        if found is not None:
            self.at = found.end()
            return number_of(found)
        for word, meaning in WORDS:
            if self.data.startswith(word, self.at):
                self.at += len(word)
                return meaning
        raise self._bad()

    def _skip_white(self) -> None:
        found = WHITE.match(self.data, self.at)
        assert found is not None  # noqa: S101  it matches nothing as well
        self.at = found.end()

    def _take(self, character: bytes) -> bool:
        if self.data[self.at : self.at + 1] != character:
            return False
        self.at += 1
        return True

    def _expect(self, character: bytes) -> None:
        if not self._take(character):
            raise self._bad()

    def _bad(self) -> TransferFailedError:
        character = self.data[self.at : self.at + 1].decode("utf-8", "replace")
        if not character:
            return TransferFailedError("unexpected EOF")
        return TransferFailedError(
            f"invalid JSON input. Position: {self.at - self._start}. Character: {character}"
        )


def number_of(found: re.Match[bytes]) -> int | float:
    """Return the number of a match of `NUMBER`: an integer without point and exponent."""
    text = found.group()
    if found[1] is None and found[2] is None and len(text) < 400:
        return int(text)
    number = float(text)
    if math.isinf(number):
        raise TransferFailedError(
            f'strconv.ParseFloat: parsing "{text.decode()}": value out of range'
        )
    return number
