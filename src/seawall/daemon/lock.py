"""One daemon for a state directory, and where to find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from seawall.errors import ConflictError, StateError
from seawall.model.installation import StatePaths
from seawall.pki.files import unwritable

_POLL_S: Final = 0.02


@contextlib.contextmanager
def hold_lock(paths: StatePaths) -> Iterator[None]:
    """Hold the lock of a state directory; the kernel lets go of it when the process dies.

    Raises:
        ConflictError: another daemon runs on it.
        StateError: it cannot be written.
    """
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(
            f"{paths.lock} cannot be opened: {error.strerror}",
            hint="the state directory must be writable for the user who runs the daemon",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            running = read_running(paths) or {}
            raise ConflictError(
                f"another 'seawall up' runs on {paths.root} (pid {running.get('pid', 'unknown')})",
                reference="already-running",
                hint="stop it first, or name another directory with --state DIR",
            ) from None
        yield
    finally:
        os.close(descriptor)


def write_running(paths: StatePaths, facts: dict[str, Any]) -> None:
    """Say where the daemon is to be found, in one step.

    Raises:
        StateError: it cannot be written (StoreFullError: the disk is full).
    """
    path = Path(paths.running)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=2)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error


def read_running(paths: StatePaths) -> dict[str, Any] | None:
    """Return what the daemon last said of itself; it may have died since (see `is_running`)."""
    try:
        facts = json.loads(Path(paths.running).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def wait_taken_in(paths: StatePaths, revision: int, timeout_s: float = 3.0) -> bool:
    """Wait until the running daemon has a revision of the registry in force.

    Args:
        paths: Of the installation.
        revision: As the store returned it after the change.
        timeout_s: Give up after this.

    Returns:
        Whether it has; False at once if no daemon runs.
    """
    deadline = time.monotonic() + timeout_s
    while is_running(paths):
        running = read_running(paths) or {}
        if running.get("registry_revision", -1) >= revision:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return False


def wait_lent(paths: StatePaths, names: Collection[str], timeout_s: float = 3.0) -> bool:
    """Wait until the running daemon lets identities in that were lent to an audit.

    Returns:
        Whether it does; False at once if no daemon runs.
    """
    deadline = time.monotonic() + timeout_s
    while is_running(paths):
        running = read_running(paths) or {}
        if set(names) <= set(running.get("lent_identities", ())):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return False


def forget_running(paths: StatePaths) -> None:
    """Take back `write_running`."""
    Path(paths.running).unlink(missing_ok=True)


def is_running(paths: StatePaths) -> bool:
    """Tell whether a daemon holds the lock now."""
    try:
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False
