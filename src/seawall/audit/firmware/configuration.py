"""Secrets that stand in configuration files: JSON, TOML, YAML, INI, environment files."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from seawall.audit.firmware.python_secrets import literal_in_text
from seawall.audit.firmware.words import Literal, literal_of, secret_kind

_SUFFIXES: Final = frozenset(
    {".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".env", ".properties"}
)
_NOT_SETTINGS: Final = frozenset(
    {"package.json", "package-lock.json", "manifest.json", "library.json", "pyproject.toml"}
    | {"root.json", "timestamp.json", "snapshot.json", "targets.json", "tsconfig.json"}
)
_LINE: Final = re.compile(
    r"""^\s*[{,]?\s*(?:-\s+)?(?:export\s+)?["']?([A-Za-z_][\w.\-]*)["']?\s*[:=]\s*(\S.*?)\s*$"""
)
_QUOTED_LINE: Final = re.compile(
    r"""^\s*([A-Za-z_][\w.]*)\s*=\s*b?(["'])([^"'\\]*)\2\s*(?:[#;].*)?$"""
)
_PARENT: Final = re.compile(r"^\s*(?:-\s+)?([A-Za-z_][\w\-]*):\s*(?:#.*)?$")
_DEFINED: Final = re.compile(
    r"""-D\s*([A-Za-z_]\w*)=(?:(?:\\?["'])+((?:(?!\\?["']).)+)|([^\s"'\\]+))"""
)
_UPLOAD_LOGIN: Final = re.compile(r"""--auth[=\s]["']?([^\s"']+)""")
_MAX_DEPTH: Final = 64
MAX_LITERALS: Final = 200
"""Of one file: more say nothing more."""

_Pair = tuple[str, str, int, bool]
"""Name, value, line, and whether the place alone says that this is a password."""


def is_configuration(path: str) -> bool:
    """Return whether a file holds settings, by its name."""
    name = PurePosixPath(path).name.lower()
    if name in _NOT_SETTINGS:
        return False
    return PurePosixPath(name).suffix in _SUFFIXES or name.startswith(".env")


def read_configuration(path: str, text: str) -> tuple[Literal, ...]:
    """Return the secrets of a file with settings; what cannot be parsed is read line by line."""
    suffix = PurePosixPath(path.lower()).suffix
    settings = None
    if suffix == ".json":
        settings = _parsed(json.loads, text)
    elif suffix == ".toml":
        settings = _parsed(tomllib.loads, text)
    return _literals(_lines(text) if settings is None else _members(settings, text))


def literals_in_lines(text: str) -> tuple[Literal, ...]:
    """Return the secrets in lines like ``name = "value"`` of a text of any kind."""
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) <= 1024 and (match := _QUOTED_LINE.match(line)):
            pairs.append((match[1].rpartition(".")[2], match[3], number, False))
    return _literals(pairs)


def _literals(pairs: Iterable[_Pair]) -> tuple[Literal, ...]:
    found: list[Literal] = []
    for name, value, line, certain in pairs:
        literal = literal_of(name, value, line, certain=certain) or literal_in_text(value, line)
        if literal is not None:
            found.append(literal)
            if len(found) >= MAX_LITERALS:
                break
    return tuple(sorted(found, key=lambda literal: literal.line))


def _parsed(parse: Any, text: str) -> Any:
    try:
        return parse(text)
    except (ValueError, RecursionError):
        return None


def _members(settings: Any, text: str) -> Iterator[_Pair]:
    """Yield the texts of a parsed file that may be secret, with name and line."""
    waiting: list[tuple[Any, int]] = [(settings, 0)]
    starts: dict[tuple[str, str], int] = {}
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            continue
        if isinstance(value, dict):
            names = {str(key).lower() for key in value}
            is_network = not names.isdisjoint({"ssid", "essid"})
            for key, member in value.items():
                name, shown = str(key), str(member)
                if isinstance(member, str) or type(member) is int:
                    certain = is_network and name.lower() == "key" and len(shown) >= 8
                    if certain or secret_kind(name) or "://" in shown or " " in shown:
                        yield name, shown, _line_of(text, name, shown, starts), certain
                else:
                    waiting.append((member, depth + 1))
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in reversed(value)]


def _line_of(text: str, key: str, value: str, starts: dict[tuple[str, str], int]) -> int:
    """Return the line of a member: the first with this name and value after the last such."""
    if len(starts) >= MAX_LITERALS * 10:
        return 1  # A file with thousands of them is not searched for each.
    pattern = re.compile(rf"""["']?{re.escape(key)}["']?\s*[:=]\s*["']{{0,3}}{re.escape(value)}""")
    match = pattern.search(text, starts.get((key, value), 0))
    if match is None:  # Written with escapes.
        starts.setdefault((key, value), 0)
        return text.count("\n", 0, max(0, text.find(key))) + 1
    starts[key, value] = match.end()
    return text.count("\n", 0, match.start()) + 1


def _lines(text: str) -> Iterator[_Pair]:
    parent = ""
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 1024 or line.lstrip()[:1] in {"#", ";", "/"}:
            continue
        if match := _LINE.match(line):
            name = match[1].rpartition(".")[2]
            # ESPHome's `api: encryption: key:` says with its parent what the key is for.
            full = f"{parent}_{name}" if (parent, name) == ("encryption", "key") else name
            yield full, _unquoted(match[2]), number, False
        yield from _flags(line, number)
        if line.strip():
            found = _PARENT.match(line)
            parent = found[1] if found else ""


def _flags(line: str, number: int) -> Iterator[_Pair]:
    """Yield what PlatformIO's flags give to the compiler and to the upload."""
    for defined in _DEFINED.finditer(line):
        yield defined[1], defined[2] or defined[3], number, False
    for login in _UPLOAD_LOGIN.finditer(line):
        yield "--auth", login[1], number, True


def _unquoted(value: str) -> str:
    value = value.rstrip(",")
    if value[:1] in {'"', "'"}:
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value[1:]
    return re.split(r"\s[#;]", value, maxsplit=1)[0].strip()
