"""Reads an ESP-IDF sdkconfig."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from seawall.audit.check import Unobserved

_SET: Final = re.compile(r"^(CONFIG_[A-Za-z0-9_]+)=(.*)$")
_UNSET: Final = re.compile(r"^# (CONFIG_[A-Za-z0-9_]+) is not set$")
_PLAIN_ADDRESS: Final = re.compile(
    r"(?i)^(mqtt|http)://(?:[^/@\s]*@)?(?!localhost\b|127\.)([^/:?#\s]+)"
)
_OF_UPDATES: Final = re.compile(r"(?:^|_)(?:OTA|FIRMWARE|FW|UPGRADE|UPDATE)(?:_|$)")
WEAK_TLS: Final[Mapping[str, str]] = {
    "CONFIG_ESP_TLS_SKIP_SERVER_CERT_VERIFY": "servers' certificates are not verified",
    "CONFIG_ESP_TLS_INSECURE": "connections without a certificate to check against are allowed",
    "CONFIG_MBEDTLS_SSL_PROTO_SSL3": "SSL 3.0 is spoken",
    "CONFIG_MBEDTLS_SSL_PROTO_TLS1": "TLS 1.0 is spoken",
    "CONFIG_MBEDTLS_SSL_PROTO_TLS1_1": "TLS 1.1 is spoken",
}
"""Options that weaken TLS when they are ``y``, and how."""
MAX_OPTIONS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        value: ``y``, a number, or a text without its quotes; empty: it is not set.
        line: From 1.
        is_text: Whether it stands in quotes.
    """

    value: str
    line: int
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class PlainAddress:
    """An option whose value is an address without TLS.

    Attributes:
        name: Of the option.
        line: From 1.
        scheme: ``mqtt`` or ``http``.
        host: Of the address, without a login.
        is_of_updates: Whether its name says that updates come from there.
    """

    name: str
    line: int
    scheme: str
    host: str
    is_of_updates: bool

    @property
    def evidence(self) -> str:
        """What stands there, without login and path."""
        return f"{self.name}: {self.scheme}:// to {self.host}, without TLS"


@dataclass(frozen=True, slots=True)
class Sdkconfig:
    """A configuration.

    Attributes:
        options: By name, ``CONFIG_`` in front.
        chip: ``esp32``, ``esp32s3`` and so on; empty if it is not said.
        is_whole: Whether it is what ESP-IDF wrote, with the options that are not set; a
            ``sdkconfig.defaults`` names only what differs.
    """

    options: Mapping[str, Option]
    chip: str
    is_whole: bool

    def is_on(self, name: str) -> bool:
        """Return whether an option is ``y``."""
        return self.options.get(name, Option("", 0)).value == "y"

    def knows(self, *names: str) -> bool:
        """Return whether any of these options is mentioned, set or not."""
        return any(name in self.options for name in names)

    def line(self, *names: str) -> int | None:
        """Return where the first of these options stands."""
        return next((self.options[name].line for name in names if name in self.options), None)


def plain_addresses(config: Sdkconfig) -> Iterator[PlainAddress]:
    """Yield the options whose value is an address without TLS, of another machine."""
    for name, option in config.options.items():
        address = _PLAIN_ADDRESS.match(option.value) if option.is_text else None
        if address is not None:
            is_of_updates = bool(_OF_UPDATES.search(name))
            scheme = address[1].lower()
            yield PlainAddress(name, option.line, scheme, address[2], is_of_updates)


def read_sdkconfig(text: str) -> Sdkconfig:
    """Read a configuration; what is none has no options. The last of two lines holds.

    Raises:
        Unobserved: there are more options than `MAX_OPTIONS`.
    """
    options: dict[str, Option] = {}
    unset = 0
    for number, line in enumerate(text.splitlines(), 1):
        if len(options) >= MAX_OPTIONS:
            raise Unobserved(f"more than {MAX_OPTIONS:,} options: no sdkconfig of ESP-IDF")
        bare = line.strip()
        if match := _SET.match(bare):
            value = match[2].strip()
            quoted = len(value) > 1 and value[0] == value[-1] == '"'
            plain = value[1:-1] if quoted else value
            options[match[1]] = Option("" if plain == "n" else plain, number, quoted)
        elif match := _UNSET.match(bare):
            options[match[1]] = Option("", number)
            unset += 1
    chip = options.get("CONFIG_IDF_TARGET", Option("", 0)).value
    return Sdkconfig(options, chip, unset > 20)
