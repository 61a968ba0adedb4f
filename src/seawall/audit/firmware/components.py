"""Finds which components, in which versions, a firmware folder holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

IMAGE_SUFFIXES: Final = frozenset({".bin", ".uf2", ".elf", ".hex", ".img", ".dfu", ".app"})
OVERLAP_BYTES: Final = 512
"""What two neighbouring pieces of an image share, so that nothing falls between them."""

_IMAGE: Final[tuple[tuple[str, re.Pattern[bytes]], ...]] = (
    ("micropython", re.compile(rb"MicroPython v(\d{1,2}\.\d{1,3}(?:\.\d{1,3})?(?:-preview)?)")),
    ("esp-idf", re.compile(rb"ESP-IDF:? v(\d{1,2}\.\d{1,2}(?:\.\d{1,2})?)\b")),
    # esp_app_desc_t (esp_app_format): magic, secure version, version, project, time, date, idf.
    (
        "esp-idf",
        re.compile(
            rb"\x32\x54\xcd\xab.{12}.{32}.{32}.{16}.{16}v(\d{1,2}\.\d{1,2}(?:\.\d{1,2})?)[-\0]",
            re.DOTALL,
        ),
    ),
    ("mbedtls", re.compile(rb"(?i:mbed ?TLS) v?(\d{1,2}\.\d{1,2}\.\d{1,2})")),
    ("wolfssl", re.compile(rb"wolfSSL v?(\d{1,2}\.\d{1,2}\.\d{1,2})")),
    ("lwip", re.compile(rb"lwIP[ /]v?(\d\.\d{1,2}\.\d{1,2})")),
    ("mosquitto", re.compile(rb"mosquitto version (\d{1,2}\.\d{1,2}\.\d{1,3})")),
    ("esphome", re.compile(rb"ESPHome version (20\d\d\.\d{1,2}\.\d{1,2})")),
)
_HEADERS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("mbedtls", re.compile(r'#define\s+MBEDTLS_VERSION_STRING\s+"(\d+\.\d+\.\d+)"')),
    ("wolfssl", re.compile(r'#define\s+LIBWOLFSSL_VERSION_STRING\s+"(\d+\.\d+\.\d+)"')),
    ("mosquitto", re.compile(r'#define\s+VERSION\s+"(\d+\.\d+\.\d+)".*mosquitto', re.DOTALL)),
)
_SPLIT_HEADERS: Final = (
    ("lwip", "LWIP_VERSION_MAJOR", "LWIP_VERSION_MINOR", "LWIP_VERSION_REVISION"),
    ("esp-idf", "ESP_IDF_VERSION_MAJOR", "ESP_IDF_VERSION_MINOR", "ESP_IDF_VERSION_PATCH"),
)
_REQUIREMENT: Final = re.compile(r"^\s*([A-Za-z0-9][\w.\-]*)(?:\[[^\]]*\])?\s*==\s*([\w.\-]+)")
_DEPENDENCY: Final = re.compile(
    r"^\s*(?:lib_deps\s*=\s*)?(?:[\w.\- ]+/)?([\w.\- ]+?)\s*@\s*[\^~>=]*\s*(\d+(?:\.\d+){1,3})\s*$"
)
_DUNDER: Final = re.compile(r"""^__version__\s*=\s*["'](\d+(?:\.\d+){1,3}[\w.\-]*)["']""", re.M)
_SDKCONFIG: Final = re.compile(
    r"^# Espressif IoT Development Framework \(ESP-IDF\) v?(\d+\.\d+(?:\.\d+)?)", re.M
)
_ALIASES: Final = {
    "espasyncwebserver": "espasyncwebserver",
    "esp_async_webserver": "espasyncwebserver",
    "esp-idf": "esp-idf",
    "idf": "esp-idf",
    "espressif/idf": "esp-idf",
    "mbed-tls": "mbedtls",
    "python-requests": "requests",
}


@dataclass(frozen=True, slots=True)
class Component:
    """A component as it was found.

    Attributes:
        name: Lower-case, as the database has it.
        version: As it stands there.
        path: Of the file, relative to the folder.
        line: From 1; None in an image.
    """

    name: str
    version: str
    path: str
    line: int | None = None


def is_image(path: str) -> bool:
    """Return whether a file is a program in machine code, by its name."""
    return PurePosixPath(path.lower()).suffix in IMAGE_SUFFIXES


def components_in_image(path: str, piece: bytes) -> Iterator[Component]:
    """Yield the components whose version strings stand in a piece of an image."""
    for name, pattern in _IMAGE:
        for match in pattern.finditer(piece):
            yield Component(name, match[1].decode(), path)


def components_in_text(path: str, text: str) -> Iterator[Component]:
    """Yield the components that a text file names, by what kind of file it is."""
    pure = PurePosixPath(path)
    name, suffix = pure.name.lower(), pure.suffix.lower()
    if re.fullmatch(r"(?:dev-|test-)?requirements[\w.\-]*\.txt", name):
        yield from _by_line(path, text, _REQUIREMENT)
    elif name == "platformio.ini":
        yield from _by_line(path, text, _DEPENDENCY)
    elif name == "library.properties":
        yield from _properties(path, text)
    elif name in {"package.json", "library.json"}:
        yield from _package(path, text)
    elif name == "dependencies.lock":
        yield from _lock(path, text)
    elif name.startswith("sdkconfig"):
        yield from _matches(path, text, "esp-idf", _SDKCONFIG)
    elif suffix in {".h", ".hpp"}:
        yield from _header(path, text)
    elif suffix == ".py":
        module = pure.parent.name if pure.stem == "__init__" else pure.stem
        yield from _matches(path, text, module, _DUNDER)


def _named(name: str) -> str:
    lower = re.sub(r"[ ]+", "-", name.strip().lower())
    return _ALIASES.get(lower, lower)


def _matches(path: str, text: str, name: str, pattern: re.Pattern[str]) -> Iterator[Component]:
    for match in pattern.finditer(text):
        yield Component(_named(name), match[1], path, text.count("\n", 0, match.start()) + 1)


def _by_line(path: str, text: str, pattern: re.Pattern[str]) -> Iterator[Component]:
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > 512:
            continue
        bare = re.split(r"[#;]", line, maxsplit=1)[0].rstrip()
        if match := pattern.match(bare):
            yield Component(_named(match[1]), match[2], path, number)


def _properties(path: str, text: str) -> Iterator[Component]:
    fields = dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)
    if "name" in fields and "version" in fields:
        yield Component(_named(fields["name"]), fields["version"].strip(), path)


def _package(path: str, text: str) -> Iterator[Component]:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(package, dict):
        return
    own = package.get("name"), package.get("version")
    if isinstance(own[0], str) and isinstance(own[1], str):
        yield Component(_named(own[0]), own[1], path)
    needs = package.get("deps")
    for need in needs if isinstance(needs, list) else []:
        if isinstance(need, list) and len(need) == 2 and all(isinstance(e, str) for e in need):
            yield Component(_named(need[0].rpartition("/")[2]), need[1], path)


def _lock(path: str, text: str) -> Iterator[Component]:
    """Read what ESP-IDF's component manager locked (YAML of its own simple shape)."""
    name = ""
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"^  (\S+):\s*$", line):
            name = match[1]
        elif name and (match := re.match(r"^    version:\s*['\"]?([\w.\-]+)", line)):
            short = name if name in _ALIASES else name.rpartition("/")[2]
            yield Component(_named(short), match[1], path, number)


def _header(path: str, text: str) -> Iterator[Component]:
    for name, pattern in _HEADERS:
        yield from _matches(path, text, name, pattern)
    for name, *parts in _SPLIT_HEADERS:
        numbers = [re.search(rf"#define\s+{part}\s+(\d+)", text) for part in parts]
        if all(numbers):
            version = ".".join(number[1] for number in numbers if number)
            yield Component(name, version, path)
