"""Looks at files and folders without trusting them.

A path may be a pipe that never ends, a link out of the folder, a device, a folder of a
million files or a file of a terabyte. What is opened is checked after opening, what is read
is bounded, what is walked ends in time; the work is done in a thread that stops when it is
no longer wanted.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, NoReturn, TypeVar

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.target import Target

MAX_DEPTH: Final = 24
NOT_LOOKED_INTO: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".pio", ".tox"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Folders of tools, never of a device: history, environments, caches."""

_SHARE_OF_DEADLINE: Final = 0.6
"""What a walk may use of a target's time: the rest is for judging what was seen."""
_REASONS: Final = {
    errno.ENOENT: "no such file or folder",
    errno.ENOTDIR: "not a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a symbolic link that leads nowhere, or was put there just now",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ENXIO: "not a regular file",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as it was found.

    Attributes:
        data: Its whole content.
        mode: Permission bits, as ``0o644``.
        owner_uid: Number of the user who owns it.
    """

    data: bytes
    mode: int
    owner_uid: int


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A file or folder below a folder.

    Attributes:
        path: Relative to the folder, with ``/``.
        mode: Permission bits; of a link they mean nothing.
        owner_uid: Number of the user who owns it.
        size: Bytes.
        is_folder: Whether it is a folder.
        is_link: Whether it is a symbolic link. Links are listed, never followed.
        is_regular: Whether it is an ordinary file: no link, pipe, socket or device.
        data: Content, if contents were asked for and it is small enough.
    """

    path: str
    mode: int
    owner_uid: int
    size: int
    is_folder: bool = False
    is_link: bool = False
    is_regular: bool = False
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What is in a folder, in the order of paths.

    Attributes:
        entries: Files and folders below it, without itself.
        mode: Permission bits of the folder itself.
        owner_uid: Owner of the folder itself.
        partial: Why this is not all, one sentence without a full stop; None: it is all.
            What was not seen must not be judged: a pass becomes unknown.
    """

    entries: tuple[FolderEntry, ...]
    mode: int
    owner_uid: int
    partial: str | None = None


@dataclass(frozen=True)
class ReadFile(Job[FileFacts]):
    """Reads one file of at most ``Limits.max_bytes``."""

    path: Path
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> FileFacts:
        """Return the file.

        Raises:
            Unobserved: it is not there, may not be read, is no regular file, or too big.
        """
        return await in_thread(lambda stop: read_file(self.path, limits.max_bytes, stop))


@dataclass(frozen=True)
class ListFolder(Job[FolderFacts]):
    """Lists a folder, with all below it.

    Attributes:
        path: Of the folder.
        contents: Whether to read the files too, each up to ``Limits.max_bytes`` and
            together up to ``Limits.max_total_bytes``.
    """

    path: Path
    contents: bool = False
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> FolderFacts:
        """Return the folder; with `FolderFacts.partial` if a limit ended it.

        Raises:
            Unobserved: it is not there, may not be read, or is no folder.
        """
        return await in_thread(lambda stop: list_folder(self.path, limits, stop, self.contents))


async def in_thread(work: Callable[[threading.Event], T]) -> T:
    """Run ``work`` in a thread; it is told to stop when this is cancelled."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, stop)
    finally:
        stop.set()


def walk_until(limits: Limits) -> float:
    """Return the moment, on the monotonic clock, when a walk that begins now must end."""
    return time.monotonic() + limits.deadline_s * _SHARE_OF_DEADLINE


def read_file(path: Path, max_bytes: int, stop: threading.Event | None = None) -> FileFacts:
    """Read a regular file; links are followed, since somebody named this very path.

    Raises:
        Unobserved: as `ReadFile.observe`.
    """
    facts = _read(path, max_bytes, os.O_RDONLY, stop or threading.Event())
    if len(facts.data) > max_bytes:
        raise Unobserved(f"larger than {_bytes_text(max_bytes)}")
    return facts


def read_entry(root: Path, relative: str, max_bytes: int, stop: threading.Event) -> bytes:
    """Read at most ``max_bytes + 1`` bytes of a file below a folder; no link is followed.

    Raises:
        Unobserved: it is gone, may not be read, or turned into something else.
    """
    return _read(root / relative, max_bytes, os.O_RDONLY | os.O_NOFOLLOW, stop).data


def _read(path: Path, max_bytes: int, flags: int, stop: threading.Event) -> FileFacts:
    try:
        # O_NONBLOCK: opening a pipe must not wait for somebody who writes.
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        _refuse(error)
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            kind = "a folder" if stat.S_ISDIR(about.st_mode) else "not a regular file"
            raise Unobserved(kind)
        data = bytearray()
        while len(data) <= max_bytes and not stop.is_set():
            piece = os.read(descriptor, min(1 << 16, max_bytes + 1 - len(data)))
            if not piece:
                break
            data += piece
        return FileFacts(bytes(data), stat.S_IMODE(about.st_mode), about.st_uid)
    except OSError as error:
        _refuse(error)
    finally:
        os.close(descriptor)


def list_folder(
    root: Path, limits: Limits, stop: threading.Event, contents: bool = False
) -> FolderFacts:
    """List a folder, as `ListFolder` says; blocks.

    Raises:
        Unobserved: as `ListFolder.observe`.
    """
    walk = FolderWalk(root, limits, stop)
    entries = []
    held = 0
    for entry in walk:
        data = None
        if contents and entry.is_regular and entry.size <= limits.max_bytes:
            if held + entry.size > limits.max_total_bytes:
                walk.give_up(f"more than {_bytes_text(limits.max_total_bytes)} of files")
            else:
                data = _content(walk, entry, limits.max_bytes)
                held += len(data or b"")
        entries.append(_with_data(entry, data))
    return walk.facts(entries)


def _content(walk: FolderWalk, entry: FolderEntry, max_bytes: int) -> bytes | None:
    try:
        data = read_entry(walk.root, entry.path, max_bytes, walk.stop)
    except Unobserved as fault:
        walk.note(f"{entry.path}: {fault.reason}")
        return None
    return data if len(data) <= max_bytes else None


def _with_data(entry: FolderEntry, data: bytes | None) -> FolderEntry:
    if data is None:
        return entry
    return FolderEntry(
        entry.path, entry.mode, entry.owner_uid, entry.size, is_regular=True, data=data
    )


class FolderWalk:
    """Yields what is below a folder, each folder's own content in order of names.

    It ends when all was seen, or by `give_up`, or when it is told to stop, or when its
    time is over, or after ``Limits.max_files``; `partial` then says why.
    """

    def __init__(self, root: Path, limits: Limits, stop: threading.Event) -> None:
        self.root = root
        self.stop = stop
        self.partial: str | None = None
        self._limits = limits
        self._until = walk_until(limits)
        self._seen = 0
        try:
            self._about = root.stat()
        except (OSError, ValueError) as error:
            _refuse(error)
        if not stat.S_ISDIR(self._about.st_mode):
            raise Unobserved("not a folder")
        self._names(root)  # A folder that cannot be read is no empty one.

    def __iter__(self) -> Iterator[FolderEntry]:
        waiting = [("", 0)]
        while waiting and not self._is_over():
            folder, depth = waiting.pop()
            below: list[tuple[str, int]] = []
            for entry in self._folder(folder):
                if self._is_over():
                    return
                name = entry.path.rsplit("/", 1)[-1]
                if entry.is_folder and name in NOT_LOOKED_INTO:
                    continue
                if entry.is_folder and depth < MAX_DEPTH:
                    below.append((entry.path, depth + 1))
                elif entry.is_folder:
                    self.note(f"folders nest deeper than {MAX_DEPTH}")
                self._seen += 1
                yield entry
            waiting.extend(reversed(below))

    def give_up(self, reason: str) -> None:
        """End the walk: what follows would be too much."""
        self.note(reason)
        self.stop.set()

    def note(self, reason: str) -> None:
        """Remember why something was not seen; the first reason is kept."""
        self.partial = self.partial or reason

    def facts(self, entries: list[FolderEntry]) -> FolderFacts:
        """Return what was seen."""
        ordered = tuple(sorted(entries, key=lambda entry: entry.path))
        mode, owner = stat.S_IMODE(self._about.st_mode), self._about.st_uid
        return FolderFacts(ordered, mode, owner, self.partial)

    def _is_over(self) -> bool:
        if self._seen >= self._limits.max_files:
            self.note(f"more than {self._limits.max_files:,} files")
        elif time.monotonic() > self._until:
            self.note(f"not all was seen within {self._limits.deadline_s:g} s")
        elif self.stop.is_set():
            self.note("stopped before all was seen")
        else:
            return False
        return True

    def _names(self, folder: Path) -> list[str]:
        """Return names in order; of a folder with too many, as many as are allowed."""
        names: list[str] = []
        try:
            with os.scandir(folder) as found:
                for entry in found:
                    names.append(entry.name)
                    if len(names) > self._limits.max_files - self._seen or self._late(len(names)):
                        break
        except OSError as error:
            if folder == self.root:
                _refuse(error)
            self.note(f"{folder.relative_to(self.root).as_posix()}: {_reason(error)}")
        return sorted(names)

    def _late(self, count: int) -> bool:
        return count % 256 == 0 and (self.stop.is_set() or time.monotonic() > self._until)

    def _folder(self, folder: str) -> Iterator[FolderEntry]:
        for name in self._names(self.root / folder):
            path = f"{folder}/{name}" if folder else name
            if not name.isprintable():  # Other bytes than UTF-8 as well: they are surrogates.
                self.note("a file's name has characters that cannot be shown")
                continue
            try:
                about = os.lstat(self.root / path)
            except OSError as error:
                self.note(f"{path}: {_reason(error)}")
                continue
            kind = about.st_mode
            yield FolderEntry(
                path=path,
                mode=stat.S_IMODE(kind),
                owner_uid=about.st_uid,
                size=about.st_size,
                is_folder=stat.S_ISDIR(kind),
                is_link=stat.S_ISLNK(kind),
                is_regular=stat.S_ISREG(kind),
            )


def _reason(error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return "not a name of a file"
    return _REASONS.get(error.errno or 0, os.strerror(error.errno or 0).lower())


def _refuse(error: OSError | ValueError) -> NoReturn:
    raise Unobserved(_reason(error)) from None


def _bytes_text(count: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count:,} bytes"
