"""Keeps snapshot and timestamp fresh; the daemon calls it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final, NamedTuple

from seawall.operations.installation import Installation
from seawall.updates.repository import Repository
from seawall.updates.staging import Staging

WARN_BEFORE: Final = timedelta(days=60)


class Renewed(NamedTuple):
    """What was written anew, and which offline roles end soon (with days left).

    Attributes:
        written: Roles.
        ends_soon: Days left, by role.
        is_busy: Another process changes the repository just now: nothing was looked at.
    """

    written: list[str]
    ends_soon: dict[str, int]
    is_busy: bool = False


def renew_updates(installation: Installation) -> Renewed:
    """Finish what a crash interrupted, and renew snapshot and timestamp if they are due.

    Nothing to do without update keys. Does not wait for another process that changes the
    repository: it may be asking somebody for a passphrase.

    Raises:
        StateError: the repository is damaged, or cannot be written.
        KeyAccessError: an online key cannot be used.
    """
    repository = Repository(Path(installation.paths.updates))
    if not repository.exists:
        return Renewed([], {})
    now = installation.now()
    with repository.exclusive(wait=False) as is_ours:
        if not is_ours:
            return Renewed([], {}, is_busy=True)
        Staging(repository, repository.read()).finish()
        written = repository.settle(now)
        current = repository.read()
    ends = {"root": current.root.signed.expires, "targets": current.targets.signed.expires}
    soon = {role: (end - now).days for role, end in ends.items() if end - now < WARN_BEFORE}
    return Renewed(written, soon)
