"""Adds signatures to a change of the update repository that waits for them, or drops it."""

from __future__ import annotations

from pathlib import Path

from seawall.errors import NotFoundError
from seawall.operations.installation import Installation
from seawall.operations.update_signing import Signed, Signing, keep_change, sign_change
from seawall.updates.repository import Repository
from seawall.updates.staging import Staging


def sign_update_change(installation: Installation, signing: Signing) -> Signed:
    """Sign what waits; a change of keys is published once there are signatures enough.

    Raises:
        NotFoundError: nothing waits (``no-update-change``).
        KeyAccessError: a key cannot be used, or none is at hand.
        StateError: the repository is damaged, or cannot be written.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        Staging(repository, repository.read()).finish()
        current = repository.read()
        staged = Staging(repository, current).read()
        if staged.is_empty:
            raise _nothing()
        # A release is published by an order of its own.
        publish = staged.root is not None
        signed = sign_change(repository, current, staged, signing)
        signed = keep_change(installation, repository, current, staged, signed, publish=publish)
    if signed.written:
        installation.store.log([installation.event("update-keys-changed", change="signed")])
    return signed


def discard_update_change(installation: Installation) -> None:
    """Drop what waits for signatures.

    Raises:
        NotFoundError: nothing waits (``no-update-change``).
        StateError: the repository is damaged, or cannot be written.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        Staging(repository, repository.read()).finish()
        staging = Staging(repository, repository.read())
        if staging.read().is_empty:
            raise _nothing()
        staging.discard()
    installation.store.log([installation.event("update-change-discarded")])


def _nothing() -> NotFoundError:
    return NotFoundError("nothing waits for signatures", reference="no-update-change")
