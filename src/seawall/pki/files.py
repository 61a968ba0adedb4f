"""Files that only their owner may read, written in one step."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from seawall.errors import KeyAccessError, SeawallError, StateError, StoreFullError

PRIVATE_FILE: Final = 0o600
PRIVATE_DIRECTORY: Final = 0o700


def write_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600: after a crash it is the old or the new one, whole.

    Raises:
        OSError: as the system says; the old file stands.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE
        )
        with os.fdopen(descriptor, "wb") as file:
            # The umask may have taken bits away, but it adds none.
            os.fchmod(descriptor, PRIVATE_FILE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private_directory(path: Path) -> None:
    """Make a directory with mode 0700; no error if it is there, but its mode is set."""
    path.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    path.chmod(PRIVATE_DIRECTORY)


@contextlib.contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Fill a directory that appears under its name when it is complete, or never.

    Yields a temporary sibling with mode 0700, which is renamed to ``path`` when
    the block ends well and removed otherwise. ``path`` must not exist then, or
    be an empty directory.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    temporary = path.parent / f"{unfinished_prefix(path)}{secrets.token_hex(4)}"
    temporary.mkdir(mode=PRIVATE_DIRECTORY)
    temporary.chmod(PRIVATE_DIRECTORY)
    try:
        yield temporary
        for directory in (temporary, *(p for p in temporary.rglob("*") if p.is_dir())):
            sync_directory(directory)
        temporary.rename(path)
    except BaseException:
        remove_tree(temporary)
        raise
    sync_directory(path.parent)


def unfinished_prefix(path: Path) -> str:
    """Return how the names of `new_directory`'s temporary siblings begin."""
    return f".{path.name}.new-"


def remove_tree(path: Path) -> None:
    """Remove a directory and all in it; no error if it is not there. Follows no link."""
    import shutil  # noqa: PLC0415  needed seldom, slow to import

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)


def read_private(path: Path, *, is_sealed: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """Read a file of secrets.

    Args:
        path: The file.
        is_sealed: Whether its contents are no secret without a passphrase: its mode is not
            asked then.

    Raises:
        KeyAccessError: it is missing, cannot be read, or others may read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read()
            if not is_sealed(data):
                _check_mode(path, os.fstat(descriptor).st_mode, PRIVATE_FILE)
            return data
    except FileNotFoundError:
        raise KeyAccessError(f"{path} is missing", reference="key-missing") from None
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> KeyAccessError:
    """Return the error to raise when a secret, or the folder of secrets, could not be read."""
    return KeyAccessError(
        f"{path} cannot be read: {error.strerror}",
        hint=f"it must belong to the user who runs Seawall: chown \"$USER\" '{path}'",
    )


def unwritable(path: Path, error: OSError) -> SeawallError:
    """Return the error to raise when a file or folder could not be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFullError(
            f"{path} cannot be written: {error.strerror}",
            hint="make room on the disk ('df' shows it) and try again",
        )
    return StateError(
        f"{path} cannot be written: {error.strerror or error}",
        reference="state-unwritable",
        hint="it must belong to the user who runs Seawall, on a disk that can be written",
    )


def check_private_directory(path: Path) -> None:
    """Check that a directory is open to its owner alone.

    Raises:
        KeyAccessError: it is missing, or others may enter it.
    """
    try:
        _check_mode(path, path.stat().st_mode, PRIVATE_DIRECTORY)
    except OSError as error:
        raise KeyAccessError(f"{path} cannot be opened: {error.strerror}") from error


def check_private_file(path: Path) -> None:
    """Check the mode of a file of secrets without reading it.

    Raises:
        KeyAccessError: it is missing, or others may read or write it.
    """
    try:
        _check_mode(path, path.stat().st_mode, PRIVATE_FILE)
    except OSError as error:
        raise KeyAccessError(f"{path} cannot be opened: {error.strerror}") from error


def _check_mode(path: Path, mode: int, allowed: int) -> None:
    if stat.S_IMODE(mode) & 0o077:
        raise KeyAccessError(
            f"{path} has mode {stat.S_IMODE(mode):04o}: other users of this machine can reach it",
            reference="key-mode",
            hint=f"chmod {allowed:o} '{path}'",
        )
