"""Reads what ``espefuse summary`` printed, of esptool 3 to 5, as text or as JSON.

A field of the text form is ``NAME (BLOCKn)[:]  description  = VALUE R/W (0b..)``; long values
stand on the next line, descriptions go on over several. JSON has the same as
``{"NAME": {"value": ..., "readable": ..., "writeable": ...}}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seawall.audit.check import Unobserved

_FIELD: Final = re.compile(
    r"^[ \t]*([A-Z][A-Z0-9_]{2,40})(?: \((BLOCK\d+)\):?|(?=[ \t]{2,}))", re.M
)
_VALUE: Final = re.compile(
    r"(?:^|\s)=\s+(\S(?:[^\n]*\S)?)\s+(R/W|R/-|-/W|-/-)(?:\s+\((0[bx][0-9a-fA-F?]+)\))?\s*$", re.M
)
_CHIP: Final = re.compile(
    r"(?:Detecting chip type\.*|Chip is|Chip type:|Connected to)\s*(ESP32[A-Z0-9\-]*)"
)
_BYTES: Final = re.compile(r"^(?:[0-9a-fA-F?]{2} ){5,}")
MAX_FIELDS: Final = 1000
_BURNED: Final = frozenset({"true", "enable", "enabled"})
_NOT_BURNED: Final = frozenset({"false", "disable", "disabled", "user", "", "zeros"})
"""Values in words; any other (``None``, ``??``) says nothing of what is burned."""


@dataclass(frozen=True, slots=True)
class Efuse:
    """One field.

    Attributes:
        value: What it means, as printed: ``False``, ``0``, ``Disable``, ``USER``.
        bits: Its number, if it was printed.
        is_readable: Whether software may read it.
        is_writeable: Whether it may still be burned.
        line: From 1.
    """

    value: str
    bits: int | None
    is_readable: bool
    is_writeable: bool
    line: int

    @property
    def is_set(self) -> bool:
        """Whether it is burned: true, or any number but 0.

        Raises:
            Unobserved: its value is a word that tells neither.
        """
        if self.bits is not None:
            return self.bits != 0
        word = self.value.strip().lower()
        if word.isdecimal():
            return word.strip("0") != ""
        if word not in _BURNED | _NOT_BURNED:
            raise Unobserved(f"what line {self.line} says is not understood: {self.value[:20]!r}")
        return word in _BURNED

    @property
    def bit_count(self) -> int:
        """How many bits are burned; of a value in words, as many as the words say.

        Raises:
            Unobserved: as `is_set`.
        """
        if self.bits is not None:
            return self.bits.bit_count()
        if self.value.strip().isdecimal():
            return int(self.value).bit_count()
        return int(self.is_set)


@dataclass(frozen=True, slots=True)
class Summary:
    """All that was printed.

    Attributes:
        chip: Such as ``ESP32-S3``; empty if it was not said.
        fields: By name.
    """

    chip: str
    fields: Mapping[str, Efuse]

    @property
    def is_first_generation(self) -> bool:
        """Whether it is the ESP32 itself, whose fields have other names."""
        return self.chip == "ESP32" or "FLASH_CRYPT_CNT" in self.fields

    def first(self, *names: str) -> tuple[str, Efuse] | None:
        """Return the first of these fields that was printed, with its name."""
        return next(((name, self.fields[name]) for name in names if name in self.fields), None)


def read_summary(text: str) -> Summary:
    """Read a summary; what is none has no fields."""
    stripped = text.lstrip()
    if stripped.startswith("{"):
        return Summary(_chip(text), _from_json(stripped))
    starts = list(_FIELD.finditer(text))[:MAX_FIELDS]
    fields: dict[str, Efuse] = {}
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        value = _VALUE.search(text, start.end(), min(end, start.end() + 2000))
        if value is not None and start[2] is not None:
            line = text.count("\n", 0, start.start()) + 1
            fields.setdefault(start[1], _efuse(value[1], value[2], value[3], line))
    return Summary(_chip(text), fields)


def _chip(text: str) -> str:
    found = _CHIP.search(text[:4096])
    return found[1].rstrip("-") if found else ""


def _efuse(value: str, rights: str, raw: str | None, line: int) -> Efuse:
    bits = None
    if _BYTES.match(value):  # A key, perhaps: what it is stays here.
        digits = set(value) - {" "}
        value = "unreadable" if "?" in digits else ("zeros" if digits <= {"0"} else "bytes")
    if raw is not None and "?" not in raw:
        bits = int(raw, 0) if _is_number(raw) else None
    elif raw is None and value in {"True", "False"}:
        bits = int(value == "True")
    return Efuse(value[:80], bits, rights[0] == "R", rights[2] == "W", line)


def _is_number(raw: str) -> bool:
    return bool(re.fullmatch(r"0b[01]{1,512}|0x[0-9a-fA-F]{1,128}", raw))


def _from_json(text: str) -> dict[str, Efuse]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    fields = {}
    for name, field in list(content.items())[:MAX_FIELDS]:
        if isinstance(field, dict) and "value" in field:
            line = text.count("\n", 0, max(0, text.find(f'"{name}"'))) + 1
            fields[name] = _json_efuse(field, line)
    return fields


def _json_efuse(field: Mapping[str, Any], line: int) -> Efuse:
    value = field["value"]
    if isinstance(value, str) and _BYTES.match(value):
        return _efuse(value, _rights(field), None, line)
    raw = str(field.get("raw", ""))
    bits: int | None = None
    if isinstance(value, bool | int):
        bits = abs(int(value))
    elif _is_number(raw):
        bits = int(raw, 0)
    rights = _rights(field)
    return Efuse(str(value)[:80], bits, rights[0] == "R", rights[2] == "W", line)


def _rights(field: Mapping[str, Any]) -> str:
    # What is not plainly taken away is there still.
    read = "-" if field.get("readable", True) is False else "R"
    return f"{read}/{'-' if field.get('writeable', True) is False else 'W'}"
