"""Reads an ESP-IDF sdkconfig."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from seawall.audit.check import Unobserved

_SET: Final = re.compile(r"^(CONFIG_[A-Za-z0-9_]+)=(.*)$")
_UNSET: Final = re.compile(r"^# (CONFIG_[A-Za-z0-9_]+) is not set$")
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
