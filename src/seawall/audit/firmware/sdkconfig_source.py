"""Reads the sdkconfig of an ESP-IDF project as what it is for the program: its constants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath

from seawall.audit.check import Unobserved
from seawall.audit.chip.sdkconfig import WEAK_TLS, Sdkconfig, plain_addresses, read_sdkconfig
from seawall.audit.firmware.python_secrets import literal_in_text
from seawall.audit.firmware.source import Language, SourceFacts, Spot, Trait, Weakness
from seawall.audit.firmware.words import Literal, literal_of

_BUILT_IN = {
    "CONFIG_SECURE_BOOT": Trait.VERIFIES,
    "CONFIG_SECURE_SIGNED_ON_UPDATE": Trait.VERIFIES,
    "CONFIG_SECURE_SIGNED_ON_UPDATE_NO_SECURE_BOOT": Trait.VERIFIES,
    "CONFIG_BOOTLOADER_APP_ANTI_ROLLBACK": Trait.COMPARES_VERSIONS,
}
"""Options that make `esp_ota_end` and the bootloader refuse an image."""


def is_sdkconfig(path: str) -> bool:
    """Return whether a file is the configuration of a build, by its name; a backup is none."""
    name = PurePosixPath(path).name.lower()
    return name == "sdkconfig" or (name.startswith("sdkconfig.") and not name.endswith(".old"))


def read_sdkconfig_source(text: str) -> SourceFacts | None:
    """Return the secrets, addresses and weak options of a build; None: it is no sdkconfig."""
    try:
        config = read_sdkconfig(text)
    except Unobserved as fault:
        return SourceFacts(language=Language.ESP_IDF, fault=fault.reason)
    if not config.options:
        return None
    literals = tuple(
        literal
        for name, option in config.options.items()
        if option.is_text and (literal := literal_in_option(name, option.value, option.line))
    )
    traits = {
        trait: config.options[name].line for name, trait in _BUILT_IN.items() if config.is_on(name)
    }
    return SourceFacts(literals, tuple(_spots(config)), traits, language=Language.ESP_IDF)


def literal_in_option(name: str, value: str, line: int) -> Literal | None:
    """Return the secret that an option is, or that stands within its text, such as a URL."""
    if literal := literal_of(name, value, line):
        return literal
    within = literal_in_text(value, line)
    return replace(within, name=f"{within.name} in {name}") if within else None


def _spots(config: Sdkconfig) -> Iterator[Spot]:
    for name, why in WEAK_TLS.items():
        if config.is_on(name) and "_PROTO_" not in name:  # Old protocols still verify.
            line = config.options[name].line
            yield Spot(Weakness.TLS_UNVERIFIED, line, f"{name}=y: {why}", name)
    for each in plain_addresses(config):
        weakness = Weakness.PLAIN_MQTT if each.scheme == "mqtt" else Weakness.PLAIN_HTTP
        yield Spot(weakness, each.line, each.evidence, each.name)
