"""What was read in a firmware folder: no contents, and no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from seawall.audit.firmware.bundle import CONFIG, ROOT, Bundle, is_root_metadata, read_bundle
from seawall.audit.firmware.c_code import read_c
from seawall.audit.firmware.components import Component, components_in_text
from seawall.audit.firmware.configuration import is_configuration, read_configuration
from seawall.audit.firmware.private_keys import private_key_in
from seawall.audit.firmware.python_code import read_python
from seawall.audit.firmware.sdkconfig_source import is_sdkconfig, read_sdkconfig_source
from seawall.audit.firmware.source import SourceFacts, decoded
from seawall.audit.firmware.words import Literal

PYTHON: Final = frozenset({".py"})
C: Final = frozenset({".ino", ".pde", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx"})
_EXAMPLES: Final = re.compile(
    r"(?:^|/)managed_components/[^/]+/(?:[^/]+/)*(?:examples?|test_apps?|tests?|host_test)/"
)
_RAW_KEYS: Final = frozenset({"hmac.key"})
_VERSIONED: Final = frozenset({".txt", ".properties", ".lock", ".json", ".ini"})


@dataclass(frozen=True, slots=True)
class FirmwareFile:
    """What was read in one file.

    Attributes:
        path: Relative to the folder.
        mode: Permission bits.
        source: Of a source file.
        settings: Secrets of a file with settings; None: it is none.
        private_key: What private key it is or holds, such as ``EC private key``.
        components: Versions that it names.
        bundle: If it is the ``config.json`` of a bundle.
        is_root: Whether it is signed TUF root metadata.
    """

    path: str
    mode: int
    source: SourceFacts | None = None
    settings: tuple[Literal, ...] | None = None
    private_key: str | None = None
    components: tuple[Component, ...] = ()
    bundle: Bundle | None = None
    is_root: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class FirmwareFacts:
    """What was read in a folder.

    Attributes:
        files: By path.
        folders: Modes of the folders below it, by path.
        mode: Permission bits of the folder itself.
        partial: Why this is not all; None: it is.
    """

    files: Mapping[str, FirmwareFile]
    folders: Mapping[str, int]
    mode: int
    partial: str | None = None

    @property
    def sources(self) -> Mapping[str, SourceFacts]:
        """Source files; of those that could not be parsed, what could be read of them."""
        return {path: file.source for path, file in self.files.items() if file.source is not None}

    @property
    def unparsed(self) -> str | None:
        """Why not all of the source was understood, None if it was."""
        faults = [f"{path}: {each.fault}" for path, each in self.sources.items() if each.fault]
        return self.partial or (faults[0] if faults else None)

    @property
    def bundle(self) -> Bundle | None:
        """The bundle that the folder is, if it is one."""
        config = self.files.get(CONFIG)
        return config.bundle if config else None


def is_example_of_component(path: str) -> bool:
    """Return whether a file is an example or test that a downloaded component brought along."""
    return bool(_EXAMPLES.search(path))


def is_wanted(path: str) -> bool:
    """Return whether a file is one of those whose whole content has to be seen."""
    pure = PurePosixPath(path.lower())
    return pure.suffix in PYTHON | C or is_configuration(path) or is_sdkconfig(path)


def read_firmware_file(path: str, mode: int, data: bytes) -> FirmwareFile:
    """Read one file by what it is; pure, and total."""
    pure = PurePosixPath(path.lower())
    is_text = b"\0" not in data[:8192]
    text = decoded(data) if is_text else ""
    source = settings = None
    if not is_text and pure.suffix in PYTHON | C:
        source = SourceFacts(fault="binary data, no source code")
    elif is_text and pure.suffix in PYTHON:
        source = read_python(path, text)
    elif is_text and pure.suffix in C:
        source = read_c(text)
    elif is_text and is_sdkconfig(path):
        source = read_sdkconfig_source(text)
    elif is_text and is_configuration(path):
        settings = read_configuration(path, text)
    names_versions = source is not None or pure.suffix in _VERSIONED or "sdkconfig" in pure.name
    key = private_key_in(data)
    if key is None and pure.name in _RAW_KEYS and len(data) >= 16:
        key = "signing key"
    return FirmwareFile(
        path=path,
        mode=mode,
        source=source,
        settings=settings,
        private_key=key,
        components=tuple(components_in_text(path, text)) if is_text and names_versions else (),
        bundle=read_bundle(data) if path == CONFIG else None,
        is_root=path == ROOT and is_root_metadata(data),
    )
