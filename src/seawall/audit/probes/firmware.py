"""Reads a firmware folder, a file at a time; what was read is dropped but for its facts."""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.firmware.components import (
    OVERLAP_BYTES,
    Component,
    components_in_image,
    is_image,
)
from seawall.audit.firmware.facts import (
    FirmwareFacts,
    FirmwareFile,
    is_example_of_component,
    is_wanted,
    read_firmware_file,
)
from seawall.audit.probes.files import FolderEntry, FolderWalk, in_thread, read_entry, read_file
from seawall.audit.target import Target

MAX_IMAGE_BYTES: Final = 16 << 20
"""As much as the flash of most boards; one image is in memory at a time."""
_PIECE_BYTES: Final = 1 << 20
_ONE_AT_A_TIME: Final = threading.Lock()
"""Held while source is parsed: the compiler warns, and warnings are the process's."""


@dataclass(frozen=True)
class ReadFirmware(Job[FirmwareFacts]):
    """Reads all of a folder that says something of a device's security."""

    path: Path
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> FirmwareFacts:
        """Return what was read; with `FirmwareFacts.partial` if a limit ended it.

        Raises:
            Unobserved: the folder is not there, may not be read, is none, or is empty.
        """
        return await in_thread(lambda stop: read_firmware(self.path, limits, stop))


@dataclass(frozen=True)
class ReadDatabase(Job[bytes]):
    """Reads the database of vulnerabilities.

    Attributes:
        path: None: the one that came with this package.
    """

    path: Path | None
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> bytes:
        """Return the file.

        Raises:
            Unobserved: it is not there, may not be read, or too big.
        """
        if self.path is None:
            shipped = files("seawall.audit") / "vulnerabilities.json"
            return await in_thread(lambda stop: shipped.read_bytes())
        path = self.path
        try:
            facts = await in_thread(lambda stop: read_file(path, limits.max_bytes * 8, stop))
        except Unobserved as fault:
            raise Unobserved(f"database of vulnerabilities: {fault.reason}") from None
        return facts.data


def read_firmware(root: Path, limits: Limits, stop: threading.Event) -> FirmwareFacts:
    """Read a folder, as `ReadFirmware` says; blocks.

    Raises:
        Unobserved: as `ReadFirmware.observe`.
    """
    walk = FolderWalk(root, limits, stop)
    read: dict[str, FirmwareFile] = {}
    folders: dict[str, int] = {}
    for entry in walk:
        if is_example_of_component(entry.path):
            continue
        if entry.is_folder:
            folders[entry.path] = entry.mode
        elif entry.is_regular:
            read[entry.path] = _file(walk, entry, limits)
    facts = walk.facts([])
    if not read and facts.partial is None:
        raise Unobserved("the folder holds no files")
    return FirmwareFacts(dict(sorted(read.items())), folders, facts.mode, facts.partial)


def _file(walk: FolderWalk, entry: FolderEntry, limits: Limits) -> FirmwareFile:
    plain = FirmwareFile(entry.path, entry.mode)
    try:
        if is_image(entry.path):
            return FirmwareFile(entry.path, entry.mode, components=_image(walk, entry))
        if entry.size > limits.max_bytes:
            if is_wanted(entry.path):
                walk.note(f"{entry.path}: too big to be read")
            return plain
        data = read_entry(walk.root, entry.path, limits.max_bytes, walk.stop)
    except Unobserved as fault:
        walk.note(f"{entry.path}: {fault.reason}")
        return plain
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_firmware_file(entry.path, entry.mode, data)


def _image(walk: FolderWalk, entry: FolderEntry) -> tuple[Component, ...]:
    """Search an image in pieces, and give up between them when told to."""
    if entry.size > MAX_IMAGE_BYTES:
        walk.note(f"{entry.path}: too big to be searched")
        return ()
    found: dict[Component, None] = {}
    data = read_entry(walk.root, entry.path, MAX_IMAGE_BYTES, walk.stop)
    for start in range(0, len(data), _PIECE_BYTES):
        if walk.stop.is_set():
            walk.note("stopped before all was seen")
            break
        piece = data[start : start + _PIECE_BYTES + OVERLAP_BYTES]
        found.update(dict.fromkeys(components_in_image(entry.path, piece)))
    return tuple(found)
