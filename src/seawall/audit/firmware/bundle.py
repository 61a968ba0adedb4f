"""Recognises a bundle that `seawall device bundle` wrote, and what it makes its device trust."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONFIG: Final = "config.json"
ROOT: Final = "root.json"
SECRET_FILES: Final = frozenset({CONFIG, "key.der", "key.pem", "hmac.key"})
_PIN_CHARS: Final = 64


@dataclass(frozen=True, slots=True)
class Bundle:
    """A device's bundle.

    Attributes:
        device_id: Whose it is.
        trust: ``ca``, ``pin`` or ``ca+pin``, as written.
        pins: How many of its pins are SHA-256 in hex.
        server_name: Name that the broker's certificate must hold.
        has_updates: Whether it says where updates come from.
    """

    device_id: str
    trust: str
    pins: int
    server_name: str
    has_updates: bool


def read_bundle(data: bytes) -> Bundle | None:
    """Read a ``config.json``; None if it is not one of a bundle."""
    try:
        settings = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(settings, dict) or not {"format", "device_id", "trust"} <= settings.keys():
        return None
    trust = _member(settings, "trust")
    pins = trust.get("pins")
    return Bundle(
        device_id=str(settings["device_id"])[:64],
        trust=str(trust.get("mode", ""))[:16],
        pins=sum(map(_is_pin, pins)) if isinstance(pins, list) else 0,
        server_name=str(_member(settings, "broker").get("server_name") or ""),
        has_updates=bool(_member(settings, "updates").get("host")),
    )


def is_root_metadata(data: bytes) -> bool:
    """Return whether a ``root.json`` is TUF root metadata that carries signatures."""
    try:
        root = json.loads(data)
    except (ValueError, RecursionError):
        return False
    if not isinstance(root, dict):
        return False
    signed = _member(root, "signed")
    return signed.get("_type") == "root" and bool(root.get("signatures"))


def _member(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = settings.get(name)
    return value if isinstance(value, dict) else {}


def _is_pin(value: object) -> bool:
    text = value if isinstance(value, str) else ""
    return len(text) == _PIN_CHARS and all(c in "0123456789abcdef" for c in text)
