"""Tells by its content what a file is that somebody wants audited; names only confirm it. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection
from typing import Final

from seawall.audit.inventory import FIELDS
from seawall.audit.mosquitto_settings import (
    BRIDGE_SETTINGS,
    GENERAL_SETTINGS,
    LISTENER_SETTINGS,
    SECURITY_PREFIXES,
    SECURITY_SETTINGS,
)
from seawall.audit.target import TargetKind

TITLES: Final = {
    TargetKind.MOSQUITTO: "a Mosquitto configuration",
    TargetKind.SDKCONFIG: "an ESP-IDF sdkconfig",
    TargetKind.EFUSE: "an espefuse summary",
    TargetKind.INVENTORY: "an inventory of devices",
    TargetKind.FIRMWARE: "a folder of firmware",
    TargetKind.STATE: "a Seawall state directory",
}
"""Kinds of targets on the disk, in words."""

_STATE_FILES: Final = frozenset({"seawall.toml", "seawall.db"})
_SDKCONFIG: Final = re.compile(r"^(?:CONFIG_\w+=|# CONFIG_\w+ is not set$)", re.MULTILINE)
_EFUSE: Final = re.compile(r"^\s*\w+ \(BLOCK\d+\)", re.MULTILINE)
_EFUSE_JSON: Final = re.compile(
    r'"(?:SPI_BOOT_CRYPT_CNT|FLASH_CRYPT_CNT|JTAG_DISABLE|DIS_\w+)"\s*:'
)
_MOSQUITTO_WORDS: Final = (
    GENERAL_SETTINGS | LISTENER_SETTINGS | SECURITY_SETTINGS | BRIDGE_SETTINGS
) | {"listener", "connection"}
_INVENTORY_WORDS: Final = frozenset(name for names in FIELDS.values() for name in names)
_INVENTORY_KEY: Final = re.compile(r'"([A-Za-z_ -]{1,40})"\s*:')


class UnrecognizedError(ValueError):
    """A file is nothing that the audit knows, or not what its name says; the text says which."""


def recognize_folder(names: Collection[str]) -> TargetKind:
    """Return what a folder is, by the names in it."""
    return TargetKind.STATE if _STATE_FILES & set(names) else TargetKind.FIRMWARE


def recognize_file(name: str, head: bytes) -> TargetKind:
    """Return what a file is.

    Args:
        name: Its name, without folders.
        head: Its first bytes, 64 KiB are plenty; the last line may be cut.

    Raises:
        UnrecognizedError: it is none of what the audit knows, or not what its name says.
    """
    meant = _meant_by(name)
    said = f"{name} is named like {TITLES[meant]} but " if meant else f"{name} "
    if b"\0" in head:
        raise UnrecognizedError(f"{said}holds binary data")
    text = head.decode("utf-8-sig", "replace")
    if text.count("�") > len(text) / 100 + 4:
        raise UnrecognizedError(f"{said}is no UTF-8 text")
    if meant and (not text.strip() or _HOLDS[meant](text)):
        return meant
    held = next((kind for kind, holds in _HOLDS.items() if holds(text)), None)
    if held is None:
        raise UnrecognizedError(f"{said}holds nothing that the audit knows")
    if meant:
        raise UnrecognizedError(f"{said}holds {TITLES[held]}")
    return held


def _meant_by(name: str) -> TargetKind | None:
    lower = name.lower()
    if lower == "mosquitto.conf":
        return TargetKind.MOSQUITTO
    if lower == "sdkconfig" or lower.startswith("sdkconfig."):
        return TargetKind.SDKCONFIG
    if "efuse" in lower:
        return TargetKind.EFUSE
    if lower.endswith((".csv", ".tsv")) or "inventory" in lower:
        return TargetKind.INVENTORY
    return None


def _holds_efuses(text: str) -> bool:
    return bool(_EFUSE.search(text) or _EFUSE_JSON.search(text))


def _holds_sdkconfig(text: str) -> bool:
    return bool(_SDKCONFIG.search(text))


def _holds_inventory(text: str) -> bool:
    if text.lstrip()[:1] in {"{", "["}:
        keys = {_folded(key) for key in _INVENTORY_KEY.findall(text)}
        return (
            len(keys & _INVENTORY_WORDS) >= 2 or text.split() == ["[", "]"] or text.strip() == "[]"
        )
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    words = next(csv.reader(io.StringIO(first), delimiter=delimiter), [])
    return len({_folded(word) for word in words} & _INVENTORY_WORDS) >= 2


def _folded(word: str) -> str:
    return re.sub(r"[\s-]+", "_", word.strip().lower())


def _holds_mosquitto(text: str) -> bool:
    """Whether most lines begin with a setting; an empty file was told by its name before."""
    lines = [line.split() for line in text.splitlines()]
    words = [line[0] for line in lines if line and not line[0].startswith("#")]
    known = sum(word in _MOSQUITTO_WORDS or word.startswith(SECURITY_PREFIXES) for word in words)
    return known > 0 and known * 2 > len(words)


_HOLDS: Final[dict[TargetKind, Callable[[str], bool]]] = {
    TargetKind.EFUSE: _holds_efuses,
    TargetKind.SDKCONFIG: _holds_sdkconfig,
    TargetKind.INVENTORY: _holds_inventory,
    TargetKind.MOSQUITTO: _holds_mosquitto,
}
"""From the most to the least particular."""
