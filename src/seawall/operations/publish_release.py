"""Publishes releases that are signed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from seawall.errors import KeyAccessError, NotFoundError
from seawall.operations.installation import Installation
from seawall.operations.update_signing import Signing
from seawall.updates.repository import Repository
from seawall.updates.staging import Staging


class Published(NamedTuple):
    """Targets that came, and such that were taken back."""

    published: list[str]
    withdrawn: list[str]


def publish_release(installation: Installation) -> Published:
    """Publish what waits, signed: releases, and withdrawals.

    Raises:
        NotFoundError: there are no update keys, or nothing waits (``no-update-change``).
        ConflictError: what waits is a change of keys.
        KeyAccessError: signatures are missing (``signatures-missing``), or an online key.
        StateError: the repository is damaged, or cannot be written.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        now = installation.now()
        Staging(repository, repository.read()).finish()
        current = repository.read()
        staging = Staging(repository, current)
        staging.check_no_root()
        staged = staging.read()
        if staged.targets is None:
            raise NotFoundError(
                "no signed release waits to be published",
                reference="no-update-change",
                hint="name the archive: seawall release publish FILE",
            )
        missing = staging.missing(staged, Signing().keyring(repository, repository.records()))
        if missing:
            raise KeyAccessError(
                f"{missing[0].have} of {missing[0].need} signatures of targets are there",
                reference="signatures-missing",
                hint=f"sign with {', '.join(missing[0].names)}: seawall release keys sign",
            )
        done = Published(*staging.difference(staged))
        staging.publish(staged, now)
    installation.store.log(
        [installation.event("release-published", each) for each in done.published]
        + [installation.event("release-withdrawn", each) for each in done.withdrawn]
    )
    return done
