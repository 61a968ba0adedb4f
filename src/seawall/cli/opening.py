"""Opens the installation that a command works on."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seawall.model.installation import StatePaths
    from seawall.operations.installation import Installation


def current_actor() -> str:
    """Return on whose behalf this process acts: ``cli:NAME``."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        # In a container a user may have a number only.
        return f"cli:uid-{os.getuid()}"


@contextmanager
def opened(state: Path) -> Iterator[Installation]:
    """Open an installation and release its store at the end.

    Raises:
        StateError: it is missing or half made.
        KeyAccessError: others may reach its keys.
        ConfigurationError: its settings are wrong.
    """
    # Late: --help and usage errors need neither the store nor cryptography.
    from seawall.daemon.assemble import open_installation  # noqa: PLC0415

    installation = open_installation(state, current_actor())
    try:
        yield installation
    finally:
        installation.store.close()


def running_daemon(paths: StatePaths) -> dict[str, Any] | None:
    """Return what the running daemon says of itself, None if none runs."""
    from seawall.daemon.lock import is_running, read_running  # noqa: PLC0415

    return read_running(paths) if is_running(paths) else None
