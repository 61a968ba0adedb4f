"""Reads an application's folder, and nothing outside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from seawall.errors import NotFoundError, UsageError
from seawall.updates.manifest import check_path
from seawall.updates.release_bundle import MAX_FILE_BYTES

MAX_FILES: Final = 500
_LEFT_OUT: Final = frozenset({"__pycache__"})


class Application(NamedTuple):
    """The files of a folder, and what was left out: hidden files and ``__pycache__``."""

    contents: dict[str, bytes]
    left_out: list[str]


def read_application(folder: Path) -> Application:
    """Read every file below a folder.

    Raises:
        NotFoundError: there is no such folder.
        UsageError: something in it is a link, or neither file nor folder (``release-link``),
            or it is too large, or cannot be read.
        InvalidNameError: a name is not allowed.
    """
    found = Application({}, [])
    try:
        if not folder.is_dir():
            raise NotFoundError(f"{folder} is no folder", reference="application-missing")
        _read_folder(folder, "", found)
    except OSError as error:
        raise _unreadable(error.filename or folder, error) from error
    return found


def _read_folder(folder: Path, prefix: str, found: Application) -> None:
    for path in sorted(folder.iterdir()):
        name = prefix + path.name
        if path.name.startswith(".") or path.name in _LEFT_OUT:
            found.left_out.append(name)
            continue
        check_path(name)
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            raise UsageError(
                f"{path} is a link, or neither a file nor a folder",
                reference="release-link",
                hint="put a copy of the file there: a release holds what is in its folder",
            )
        if path.is_dir():
            _read_folder(path, name + "/", found)
        else:
            if len(found.contents) >= MAX_FILES:
                raise UsageError(
                    f"{folder} has more than {MAX_FILES} files", reference="release-too-large"
                )
            found.contents[name] = read_file(path, MAX_FILE_BYTES)


def read_file(path: Path, limit: int) -> bytes:
    """Read a regular file of at most so many bytes; follows no link.

    Raises:
        NotFoundError: it is not there.
        UsageError: it is no file, is too large, or cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{path} is no file", reference="release-link")
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing", reference="application-missing") from None
    except OSError as error:
        raise _unreadable(path, error) from error
    if len(data) > limit:
        raise UsageError(
            f"{path} has more than {limit:,} bytes",
            reference="release-too-large",
            hint="a board keeps two slots on its flash",
        )
    return data


def _unreadable(path: object, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read: {error.strerror}", reference="release-unreadable")
