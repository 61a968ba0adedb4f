"""Write concerns as people type them: a number, a word, or an object."""

from __future__ import annotations

import re
from typing import Any, Final

from seawall.transfer.failures import OptionError, TransferFailedError
from seawall.transfer.readers.extended import Pairs
from seawall.transfer.readers.json_legacy import LegacyParser

NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


def concern_of(typed: str, from_uri: dict[str, Any]) -> dict[str, Any]:
    """Return the write concern as the member of a command.

    Args:
        typed: Of `--writeConcern`; empty if it was not given.
        from_uri: What the connection string says.

    Raises:
        OptionError: It is none.
    """
    found = _typed(typed) if typed else dict(from_uri)
    w = found.get("w", "majority")
    if isinstance(w, int) and w < 0:
        raise OptionError(f"error constructing write concern: invalid 'w' argument: {w}")
    return {"w": w, **{key: found[key] for key in ("j", "wtimeout") if found.get(key)}}


def _typed(typed: str) -> dict[str, Any]:
    if not typed.lstrip().startswith("{"):
        return {"w": int(typed) if NUMBER.fullmatch(typed) else typed}
    try:
        value = LegacyParser(typed.encode("utf-8", "surrogateescape")).value()
    except TransferFailedError as error:
        raise OptionError(f"error constructing write concern: {error.message}") from None
    if not isinstance(value, Pairs):
        raise OptionError("error constructing write concern: not an object")
    found: dict[str, Any] = {}
    for key, each in value:
        name = key.decode("utf-8", "replace")
        found[name] = each.decode("utf-8", "replace") if isinstance(each, bytes) else each
    w = found.get("w")
    if isinstance(w, float) and w.is_integer():
        found["w"] = int(w)
    if not isinstance(found.get("w", 1), int | str):
        raise OptionError("error constructing write concern: invalid 'w' argument")
    return found
