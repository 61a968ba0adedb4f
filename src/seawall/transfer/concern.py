"""Write concerns as people type them: a number, a word, or an object."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from seawall.transfer import cells
from seawall.transfer.failures import OptionError, TransferFailedError
from seawall.transfer.readers.extended import Pairs
from seawall.transfer.readers.json_legacy import LegacyParser

NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
MAJORITY: Final = "majority"


def concern_of(typed: str, from_uri: dict[str, Any]) -> dict[str, Any]:
    """Return the write concern as the member of a command.

    Args:
        typed: Of `--writeConcern`; empty if it was not given.
        from_uri: What the connection string says.

    Raises:
        OptionError: It is none.
    """
    found = _typed(typed) if typed else dict(from_uri)
    w = found.get("w", MAJORITY)
    if isinstance(w, int) and w < 0:
        raise _bad(f"invalid 'w' argument: {w}")
    if found.get("wtimeout", 0) < 0:
        raise _bad("write concern 'wtimeout' field cannot be negative")
    if w == 0 and found.get("j"):
        raise _bad("a write concern cannot have both w=0 and j=true")
    return {"w": w, **{key: found[key] for key in ("j", "wtimeout") if found.get(key)}}


def _typed(typed: str) -> dict[str, Any]:
    if not typed.lstrip().startswith("{"):
        return {} if typed == "null" else {"w": _number_or_word(typed)}
    try:
        value = LegacyParser(typed.encode("utf-8", "surrogateescape")).value()
    except TransferFailedError as error:
        raise _bad(error.message) from None
    if not isinstance(value, Pairs):
        raise _bad("not an object")
    found: dict[str, Any] = {}
    for key, each in value:
        if key == b"w":
            found["w"] = _members(each)
        elif key == b"j":
            # Every text is true, as for the original.
            found["j"] = each is not None and _whole(each) != 0
        elif key == b"wtimeout":
            found["wtimeout"] = _whole(each)
            if found["wtimeout"] is None:
                raise _bad(f"invalid 'wtimeout' argument: {_shown(each)}")
    return found


def _members(value: Any) -> int | str:
    if isinstance(value, bytes):
        return _number_or_word(value.decode("utf-8", "replace"))
    number = None if isinstance(value, bool) else _whole(value)
    if number is None:
        raise _bad(f"invalid 'w' argument: {_shown(value)}")
    return number


def _number_or_word(text: str) -> int | str:
    return int(text) if NUMBER.fullmatch(text) else text or MAJORITY


def _whole(value: Any) -> int | None:
    """Return a number without its fraction, however it was written; None if it is none."""
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return int(value)
    if isinstance(value, tuple) and value[0] in {cells.INT32, cells.INT64}:
        return int.from_bytes(value[1], "little", signed=True)
    return None


def _shown(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bad(why: str) -> OptionError:
    return OptionError(f"error constructing write concern: {why}")
