"""Finds where a JSON value ends, in the wide grammar of the shell.

Quotes of both kinds, bare keys, constructors, regular expressions: all of it is
stepped over, and what is inside is judged by a parser later.
"""

from __future__ import annotations

import re
from typing import Final

from seawall.transfer.failures import TransferFailedError

WHITE: Final = b" \t\r\n"
_WHITE: Final = re.compile(rb"[ \t\r\n]*+")
_TOKEN: Final = re.compile(
    rb"""(?P<plain>[^"'/\[\]{}()]++)|(?P<string>"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+"|'(?:[^'\\\x00-\x1f]++|\\[^\x00-\x1f])*+')"""
    rb"""|(?P<open>[\[{(])|(?P<close>[\]})])|(?P<regex>/(?:[^/\\\n]++|\\.)++/)"""
)
_PARTIAL: Final = re.compile(
    rb"""(?:"(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+\\?|'(?:[^'\\\x00-\x1f]++|\\[^\x00-\x1f])*+\\?|/(?:[^/\\\n]++|\\.)*+\\?)\Z"""
)
_WORD: Final = re.compile(rb"""[^\s,\[\]{}()"'/:]++""")
_STARTS: Final = re.compile(rb"""["'{\[/+\-.0-9tfnuNIODTBRM]""")
"""Letters begin the words and constructors of the shell."""
MAX_DOCUMENT_BYTES: Final = 48_000_000


class JsonCutError(Exception):
    """The bytes are not the beginning of a value; the message says why."""


def skip_white(data: bytes, at: int) -> int:
    """Return the position behind white space."""
    found = _WHITE.match(data, at)
    assert found is not None  # noqa: S101  it matches nothing as well
    return found.end()


def shown(character: bytes) -> str:
    """Return a character as messages show it."""
    return repr(character.decode("utf-8", "replace"))


def end_of_value(data: bytes, at: int, *, final: bool) -> int:
    """Return the position behind the value at a position; -1 if more bytes are needed.

    Args:
        data: The bytes.
        at: A position that is not white space.
        final: Whether no more bytes will come.

    Raises:
        JsonCutError: No value begins or goes on like this.
    """
    start = data[at : at + 1]
    if not _STARTS.match(start):
        raise JsonCutError(f"invalid character {shown(start)} looking for beginning of value")
    end = _end(data, at, final)
    if end < 0 and final:
        raise JsonCutError("unexpected EOF")
    if end < 0 and len(data) - at > MAX_DOCUMENT_BYTES:
        raise JsonCutError("document too long")
    return end


def _end(data: bytes, at: int, final: bool) -> int:
    first = data[at]
    if first not in b"{[":
        return _end_of_scalar(data, at, final)
    depth = 0
    position = at
    while position < len(data):
        found = _TOKEN.match(data, position)
        if found is None:
            if _PARTIAL.match(data, position):
                return -1
            raise _bad_token(data, position)
        kind = found.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth == 0:
                return found.end()
        position = found.end()
    return -1


def _bad_token(data: bytes, position: int) -> JsonCutError:
    if data[position : position + 1] in {b'"', b"'"}:
        place = position + 1
        while place < len(data) and data[place] >= 0x20:
            place += 1
        return JsonCutError(f"invalid character {shown(data[place : place + 1])} in string literal")
    character = shown(data[position : position + 1])
    return JsonCutError(f"invalid character {character} looking for beginning of value")


def _end_of_scalar(data: bytes, at: int, final: bool) -> int:
    found = _TOKEN.match(data, at)
    if found is not None and found.lastgroup in {"string", "regex"}:
        return found.end()
    word = _WORD.match(data, at)
    if word is None:
        if _PARTIAL.match(data, at):
            return -1
        raise _bad_token(data, at)
    end = word.end()
    if end == len(data):
        return end if final else -1
    if data[end : end + 1] == b"(":
        inside = _end(b"[" + data[end + 1 :].replace(b")", b"]", 1), 0, final)
        return -1 if inside < 0 else end + inside
    return end


def cut_error(number: int, error: JsonCutError) -> TransferFailedError:
    """Return the failure of a document, counted from 1."""
    return TransferFailedError(f"error processing document #{number}: {error}")
