"""One daemon for a state directory, and where to find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seawall.errors import StateError
from seawall.model.installation import StatePaths


@contextlib.contextmanager
def hold_lock(paths: StatePaths) -> Iterator[None]:
    """Hold the lock of a state directory; the kernel lets go of it when the process dies.

    Raises:
        StateError: another daemon runs on it, or it cannot be written.
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
            raise StateError(
                f"another 'seawall up' runs on {paths.root} (pid {running.get('pid', 'unknown')})",
                reference="already-running",
                hint="stop it first, or name another directory with --state DIR",
            ) from None
        yield
    finally:
        os.close(descriptor)


def write_running(paths: StatePaths, facts: dict[str, Any]) -> None:
    """Say where the daemon is to be found, in one step."""
    path = Path(paths.running)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
    temporary.replace(path)


def read_running(paths: StatePaths) -> dict[str, Any] | None:
    """Return what the daemon last said of itself; it may have died since (see `is_running`)."""
    try:
        facts = json.loads(Path(paths.running).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


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
