"""Inventories of devices as people keep them: JSON, a JSON object a line, or CSV. Pure.

What ``seawall device list --json`` prints is read as it stands. Columns may have the
names that are usual (`FIELDS`); others are left alone. A value that is there but cannot
be understood is an error with its line and column: a date that is guessed wrong would
turn an expired certificate into a sound one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seawall.audit.inventory_values import READERS

MAX_DEVICES: Final = 100_000

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "device_id": ("device_id", "device", "id", "name", "client_id", "hostname", "thing_name"),
    "board": ("board", "model", "device_type", "type", "hardware", "product"),
    "firmware": ("firmware", "firmware_version", "fw", "fw_version", "version", "running_version"),
    "serial": ("certificate_serial", "cert_serial", "serial", "certificate_serial_number"),
    "expires_ms": (
        "certificate_not_after_ms",
        "certificate_not_after",
        "certificate_expires",
        "certificate_expiry",
        "cert_expires",
        "cert_expiry",
        "not_after",
        "expires",
        "expiry",
    ),
    "last_seen_ms": ("last_seen", "last_seen_ms", "last_received_ms", "last_heard", "last_contact"),
    "added_ms": ("added_ms", "added", "added_at", "created", "created_at", "provisioned"),
    "revoked": ("revoked", "is_revoked"),
    "revoked_ms": ("revoked_ms", "revoked_at", "revoked_on", "revocation_date"),
    "status": ("status", "state"),
}
"""What is understood, and under which names; case, blanks and ``-`` do not matter."""


class InventoryError(ValueError):
    """What is wrong with an inventory, and where.

    Attributes:
        line: From 1; None if it concerns the whole file.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line is not None else message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Entry:
    """A device as an inventory knows it; None: the inventory does not say.

    Attributes:
        line: Where it stands, from 1; 0 if it stands in no file.
        device_id: Its name.
        board: What it runs on, or which model it is.
        firmware: Version, as it is written.
        serial: Of its certificate, lower-case hex without leading zeros if it is hex.
        expires_ms: End of its certificate, UTC milliseconds.
        last_seen_ms: When it was heard of last, UTC milliseconds.
        added_ms: When it joined the fleet, UTC milliseconds.
        revoked: Whether its certificate was revoked.
        revoked_ms: When, UTC milliseconds.
        status: As it is written, lower case.
    """

    line: int
    device_id: str
    board: str | None = None
    firmware: str | None = None
    serial: str | None = None
    expires_ms: int | None = None
    last_seen_ms: int | None = None
    added_ms: int | None = None
    revoked: bool | None = None
    revoked_ms: int | None = None
    status: str | None = None

    @property
    def is_revoked(self) -> bool:
        """Whether it may not connect any more for good."""
        return bool(self.revoked) or self.revoked_ms is not None or self.status in _REVOKED_WORDS

    @property
    def is_active(self) -> bool:
        """Whether its owner counts on it: neither revoked nor put aside."""
        return not self.is_revoked and self.status not in _IDLE_WORDS

    @property
    def says_active(self) -> bool:
        """Whether its status says in so many words that it is in use."""
        return self.status in _ACTIVE_WORDS


@dataclass(frozen=True, slots=True)
class Inventory:
    """All entries, and which fields the inventory has at all."""

    entries: tuple[Entry, ...]
    fields: frozenset[str]


_REVOKED_WORDS: Final = frozenset({"revoked", "compromised", "stolen", "lost"})
_IDLE_WORDS: Final = frozenset(
    {"disabled", "inactive", "retired", "decommissioned", "spare", "stock", "removed"}
)
_ACTIVE_WORDS: Final = frozenset({"active", "enabled", "online", "connected", "in use", "ok"})
_ALIASES: Final = {alias: name for name, aliases in FIELDS.items() for alias in aliases}


def parse_inventory(data: bytes) -> Inventory:
    """Read an inventory.

    Args:
        data: The file. CSV has a header line; fields end with a comma, semicolon or tab.

    Raises:
        InventoryError: it is none, or something in it cannot be understood.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InventoryError("this is not UTF-8", line) from None
    if not text.strip():
        raise InventoryError("the file is empty")
    rows = _json_rows(text) if text.lstrip()[0] in "[{" else _csv_rows(text)
    entries: list[Entry] = []
    fields: set[str] = set()
    for line, members in rows:
        if len(entries) >= MAX_DEVICES:
            raise InventoryError(f"more than {MAX_DEVICES} devices", line)
        named = _named(members, line)
        fields |= named.keys()
        entries.append(_entry(line, named))
    return Inventory(tuple(entries), frozenset(fields))


# Rows


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    header_line = text.lstrip().splitlines()[0]
    delimiter = max(",;\t", key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    start = 1
    try:
        for row in reader:
            line, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if header is None:
                header = _checked_header(row, line)
            elif len(row) != len(header):
                raise InventoryError(f"{len(row)} fields, the header has {len(header)}", line)
            else:
                yield line, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise InventoryError(f"this is not CSV: {error}", reader.line_num) from None


def _checked_header(row: list[str], line: int) -> list[str]:
    if not any(_alias(name) == "device_id" for name in row):
        names = ", ".join(FIELDS["device_id"])
        raise InventoryError(f"no column names the device; it may be called {names}", line)
    return row


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield objects with their lines: of an array, of the array under ``devices``, or of lines."""
    start = _skip(text, 0)
    if text[start] == "{":
        whole, end = _decode(text, start)
        if isinstance(whole.get("devices"), list) and _skip(text, end) == len(text):
            start = _devices_start(text, start)
        else:
            yield from _objects(text, start, separator="")
            return
    yield from _objects(text, start + 1, separator=",")


def _devices_start(text: str, start: int) -> int:
    """Return where the array under ``devices`` of an object, known to be sound, begins."""
    at = start + 1
    while True:
        name, at = json.JSONDecoder().raw_decode(text, _skip(text, at))
        at = _skip(text, _skip(text, at) + 1)
        if name == "devices" and text[at] == "[":
            return at
        at = _skip(text, _decode_any(text, at)[1]) + 1


def _objects(text: str, at: int, separator: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    line, counted, first = 1, 0, True
    while (at := _skip(text, at)) < len(text):
        if separator and text[at] == "]":
            if text[_skip(text, at + 1) : _skip(text, at + 1) + 1] not in {"", "}", ","}:
                raise InventoryError("there is more after the end of the list")
            return
        if separator and not first:
            if text[at] != separator:
                raise InventoryError("a comma is missing here", text.count("\n", 0, at) + 1)
            at = _skip(text, at + 1)
        line, counted = line + text.count("\n", counted, at), at
        members, at = _decode(text, at)
        first = False
        yield line, members
    if separator:
        raise InventoryError("the list does not end", text.count("\n") + 1)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _decode(text: str, at: int) -> tuple[Mapping[str, Any], int]:
    value, end = _decode_any(text, at)
    if not isinstance(value, dict):
        raise InventoryError("this is not a JSON object", text.count("\n", 0, at) + 1)
    return value, end


def _decode_any(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise InventoryError(f"this is not JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise InventoryError("nested too deeply", text.count("\n", 0, at) + 1) from None
    except ValueError as error:
        raise InventoryError(f"this is not JSON: {error}", text.count("\n", 0, at) + 1) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {doubled[:40]!r} stands twice in one object")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


# Fields


def _alias(name: str) -> str | None:
    return _ALIASES.get(re.sub(r"[\s\-]+", "_", name.strip()).casefold())


def _named(members: Mapping[str, Any], line: int) -> dict[str, tuple[str, Any]]:
    """Return what is understood: field to the name that it has here, and its value."""
    flat = dict(members)
    if isinstance(running := members.get("running"), dict):
        flat["firmware"] = running.get("version")
    elif "running" in members:
        flat.setdefault("firmware", None)
    named: dict[str, tuple[str, Any]] = {}
    for name, value in flat.items():
        field = _alias(name)
        if field is None:
            continue
        # `name` beside `id`, `type` beside `model`: the name that stands first in FIELDS wins.
        other = named.get(field)
        if other is None or _preference(field, name) < _preference(field, other[0]):
            named[field] = (name, value)
    if "device_id" not in named:
        names = ", ".join(FIELDS["device_id"])
        raise InventoryError(f"no member names the device; it may be called {names}", line)
    return named


def _preference(field: str, name: str) -> int:
    return FIELDS[field].index(re.sub(r"[\s\-]+", "_", name.strip()).casefold())


def _entry(line: int, named: Mapping[str, tuple[str, Any]]) -> Entry:
    values: dict[str, Any] = {}
    for field, (name, value) in named.items():
        try:
            values[field] = READERS[field](value)
        except ValueError as error:
            raise InventoryError(f"field '{name[:40]}': {error}", line) from None
    if not values.get("device_id"):
        raise InventoryError(f"field '{named['device_id'][0][:40]}': it is empty", line)
    return Entry(line, **values)
