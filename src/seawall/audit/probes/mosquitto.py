"""Reads mosquitto.conf, and what it names: bounded, on this machine alone.

Paths in a configuration are relative to the broker's working directory. Nothing
tells that one, so the folder of mosquitto.conf stands for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.mosquitto_configuration import (
    Configuration,
    Setting,
    Source,
    holds_setting,
    included_folders,
    is_too_long,
    parse_configuration,
)
from seawall.audit.mosquitto_files import (
    ACCESS_FILES,
    OTHER_FILES,
    PASSWORD_FILES,
    PLUGIN_FILES,
    SECRET_FILES,
    BrokerFiles,
    JudgedEntry,
    NamedFile,
    parsed_access,
)
from seawall.audit.mosquitto_passwords import is_judged, parse_passwords, weakness_of
from seawall.audit.probes.files import FileFacts, in_thread, read_file, walk_until
from seawall.audit.target import Target

MAX_CONFIGURATION_BYTES: Final = 128 << 10
"""Of mosquitto.conf with all that it includes: what is longer is something else."""
MAX_SECTIONS: Final = 64
"""Listeners, and bridges: each is judged by each check."""
MAX_INCLUDED: Final = 200
"""Files of ``include_dir``."""
MAX_NAMED: Final = 200
"""Files that settings name."""
_MAX_NAMES: Final = 10_000
_READ: Final = (*ACCESS_FILES, *PASSWORD_FILES)
_NAMING: Final = (*SECRET_FILES, *_READ, *PLUGIN_FILES, *OTHER_FILES)


@dataclass(frozen=True)
class ReadBroker(Job[BrokerFiles]):
    """Reads a configuration with its included files, ACL and password files."""

    path: Path
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> BrokerFiles:
        """Return what was read.

        Raises:
            Unobserved: mosquitto.conf cannot be read, or is none.
        """
        return await in_thread(lambda stop: read_broker(self.path, limits, stop))


@dataclass(frozen=True)
class GuessPasswords(Job[tuple[JudgedEntry, ...]]):
    """Tries the short list on the hashes of the password files; nothing is connected to."""

    path: Path
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> tuple[JudgedEntry, ...]:
        """Return each entry with what opens it, in words."""
        facts = await ReadBroker(self.path).observe(target, limits)
        sources = [each.source for each in facts.files("password_file")]
        judged: list[JudgedEntry] = []
        ends = walk_until(limits)
        for entry in [e for source in sources if source for e in parse_passwords(source)]:
            # What there is no time for stays unjudged, and is counted as unknown.
            has_time = is_judged(entry) and time.monotonic() < ends
            weakness = await asyncio.to_thread(weakness_of, entry) if has_time else None
            judged.append(JudgedEntry(entry, weakness, has_time))
        return tuple(judged)


def read_broker(path: Path, limits: Limits, stop: threading.Event) -> BrokerFiles:
    """Read everything; blocks.

    Raises:
        Unobserved: as `ReadBroker.observe`.
    """
    size = min(limits.max_bytes, MAX_CONFIGURATION_BYTES)
    files: dict[str, FileFacts] = {str(path): read_file(path, size, stop)}
    main = Source(str(path), files[str(path)].data)
    if b"\0" in main.data:
        raise Unobserved("no text: not a mosquitto.conf")
    unread, elsewhere = _read_included(main, files, limits, stop)
    sources = {name: Source(name, facts.data) for name, facts in files.items()}
    if sum(len(each.data) for each in sources.values()) > MAX_CONFIGURATION_BYTES:
        raise Unobserved("the included files are larger than a configuration is")
    if not any(map(holds_setting, sources.values())) and main.data.strip():
        raise Unobserved("not one line is a setting of Mosquitto")
    unread += [f"{name}: its last lines" for name, each in sources.items() if is_too_long(each)]
    others = [source for name, source in sources.items() if name != main.path]
    configuration = parse_configuration(main, others)
    if max(len(configuration.listeners), len(configuration.bridges)) > MAX_SECTIONS:
        raise Unobserved(f"more than {MAX_SECTIONS} listeners or bridges")
    named = [
        _named(path, setting, limits, stop)
        for setting, _ in zip(_naming(configuration), range(MAX_NAMED), strict=False)
    ]
    if len(named) == MAX_NAMED:
        unread.append(f"{MAX_NAMED} files or more are named")
    return BrokerFiles(
        configuration,
        sources,
        {name: facts.mode for name, facts in files.items()},
        tuple(named),
        str(path.parent.resolve()),
        parsed_access(named),
        _persistence(path, configuration),
        tuple(unread),
        tuple(elsewhere),
    )


def _read_included(
    main: Source, files: dict[str, FileFacts], limits: Limits, stop: threading.Event
) -> tuple[list[str], list[str]]:
    """Read what is included; return what could not be read, and what lies elsewhere."""
    path = Path(main.path)
    unread: list[str] = []
    elsewhere: list[str] = []
    for folder in included_folders(main):
        before = len(files)
        for each in _included(_resolved(path, folder), unread):
            if len(files) > MAX_INCLUDED or stop.is_set():
                unread.append(f"{each}, and what follows: more than {MAX_INCLUDED} files")
                break
            _read_into(files, each, limits, unread)
        if not _is_beside(path, folder):
            elsewhere.append(f"{len(files) - before} file(s) of {folder}")
    return unread, elsewhere


def _naming(configuration: Configuration) -> Iterator[Setting]:
    seen = set()
    for setting in configuration.all():
        named = setting.name in _NAMING or setting.names_plugin_file
        if named and setting not in seen:
            seen.add(setting)
            yield setting


def _resolved(main: Path, text: str) -> Path:
    return main.parent / text  # an absolute path stays what it is


def _is_beside(main: Path, folder: str) -> bool:
    """Tell whether a folder lies where mosquitto.conf does, so that it came with it."""
    try:
        return _resolved(main, folder).resolve().is_relative_to(main.parent.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _included(folder: Path, unread: list[str]) -> list[Path]:
    """Return the ``*.conf`` of a folder in the order in which Mosquitto reads them."""
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e, _ in zip(entries, range(_MAX_NAMES), strict=False)]
    except (OSError, ValueError) as error:
        unread.append(f"{folder}: {getattr(error, 'strerror', None) or error}")
        return []
    if len(names) == _MAX_NAMES:
        unread.append(f"{folder}: {_MAX_NAMES} names or more")
    return [folder / name for name in sorted(names) if name.endswith(".conf")]


def _read_into(files: dict[str, FileFacts], path: Path, limits: Limits, unread: list[str]) -> None:
    try:
        files[str(path)] = read_file(path, limits.max_bytes)
    except Unobserved as reason:
        unread.append(f"{path}: {reason.reason}")


def _named(main: Path, setting: Setting, limits: Limits, stop: threading.Event) -> NamedFile:
    path = _resolved(main, setting.value)
    found = _stat(path, setting)
    if found.reason or setting.name not in _READ:
        return found
    try:
        facts = read_file(path, limits.max_bytes, stop)
    except Unobserved as reason:
        return NamedFile(setting, str(path), reason.reason)
    return NamedFile(
        setting, str(path), "", facts.mode, found.folder_mode, facts.owner_uid, facts.data
    )


def _stat(path: Path, setting: Setting | None) -> NamedFile:
    try:
        status, folder = path.stat(), path.parent.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no valid path"
        return NamedFile(setting, str(path), reason.lower())
    return NamedFile(
        setting, str(path), "", status.st_mode & 0o7777, folder.st_mode & 0o7777, status.st_uid
    )


def _persistence(main: Path, configuration: Configuration) -> NamedFile | None:
    general = configuration.general
    if not general.flag("persistence"):
        return None
    folder = general.text("persistence_location")
    name = general.text("persistence_file") or "mosquitto.db"
    return _stat(_resolved(main, folder) / name, general.find("persistence"))
