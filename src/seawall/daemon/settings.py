"""Reads and writes ``seawall.toml``."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import msgspec

from seawall.errors import ConfigurationError, StateError
from seawall.model.installation import Settings

_HEADER = """\
# Settings of this Seawall installation. Every setting is described in
# docs/reference/settings.md; what is left out keeps its default.
"""


def read_settings(path: Path) -> Settings:
    """Read and check a settings file.

    Raises:
        StateError: it is not there.
        ConfigurationError: it cannot be read, is no TOML, or has an unknown or bad setting.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StateError(
            f"{path.parent} is no Seawall installation: {path.name} is missing",
            hint="make one with 'seawall init', or name another with --state DIR",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    try:
        members = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    _refuse_unknown(members, path)
    try:
        settings = msgspec.convert(members, Settings)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    _check_ranges(settings, path)
    return settings


def _refuse_unknown(members: dict[str, object], path: Path) -> None:
    known = {field.name for field in fields(Settings)}
    defaults = Settings()
    for name, value in members.items():
        if name not in known:
            raise ConfigurationError(f"{path}: unknown setting '{name}'", hint=_list(known))
        if isinstance(value, dict):
            inner = {field.name for field in fields(getattr(defaults, name))}
            for key in value:
                if key not in inner:
                    raise ConfigurationError(
                        f"{path}: unknown setting '{key}' in [{name}]", hint=_list(inner)
                    )


def _list(names: set[str]) -> str:
    return "known are: " + ", ".join(sorted(names))


def _check_ranges(settings: Settings, path: Path) -> None:
    checks = (
        ("mqtt.port", settings.mqtt.port, 0, 65_535),
        ("web.port", settings.web.port, 0, 65_535),
        ("mqtt.max_connections", settings.mqtt.max_connections, 1, 1_000_000),
        (
            "mqtt.max_connections_per_address",
            settings.mqtt.max_connections_per_address,
            1,
            1_000_000,
        ),
        ("mqtt.max_packet_bytes", settings.mqtt.max_packet_bytes, 256, 16_777_216),
        ("mqtt.connect_timeout_s", settings.mqtt.connect_timeout_s, 0.1, 300),
        ("updates.port", settings.updates.port, 0, 65_535),
        ("updates.max_connections", settings.updates.max_connections, 1, 100_000),
        (
            "updates.max_connections_per_address",
            settings.updates.max_connections_per_address,
            1,
            100_000,
        ),
        ("ingest.max_payload_bytes", settings.ingest.max_payload_bytes, 64, 1_048_576),
        ("ingest.batch_readings", settings.ingest.batch_readings, 1, 100_000),
        ("ingest.batch_delay_ms", settings.ingest.batch_delay_ms, 0, 10_000),
        ("ingest.max_refusals", settings.ingest.max_refusals, 10, 10_000_000),
    )
    for name, value, low, high in checks:
        if not low <= value <= high:
            raise ConfigurationError(f"{path}: {name} is {value}; it must be {low} to {high}")
    if not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", settings.audit.at):
        raise ConfigurationError(
            f"{path}: audit.at is '{settings.audit.at[:20]}'; it must be a time such as 03:30"
        )
    if not settings.names:
        raise ConfigurationError(f"{path}: names is empty; certificates need at least one")


def render_settings(settings: Settings) -> str:
    """Return the text of a settings file. JSON strings, numbers and arrays are TOML's too."""
    members = msgspec.to_builtins(settings)
    lines = [_HEADER, f"names = {json.dumps(list(members.pop('names')))}"]
    for section, values in members.items():
        lines.append(f"\n[{section}]")
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def write_settings(path: Path, settings: Settings) -> None:
    """Write a new settings file; the caller gives the directory its mode."""
    path.write_text(render_settings(settings), encoding="utf-8")
