"""Shows the keys of the update repository, and what waits for signatures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from seawall.operations.installation import Installation
from seawall.updates import metadata as tuf
from seawall.updates.keys import KeyRecord, Keyring
from seawall.updates.repository import Current, Repository
from seawall.updates.staging import Missing, Staging


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A role: what it has signed, and with which keys.

    Attributes:
        role: ``root``, ``targets``, ``snapshot`` or ``timestamp``.
        version: Of its metadata; 0 if there are none.
        expires: Its end, UTC; None if there are none.
        threshold: How many keys must sign.
        keys: Its keys, and whether the private half of each is at hand here.
    """

    role: str
    version: int
    expires: datetime | None
    threshold: int
    keys: tuple[tuple[KeyRecord, bool], ...]


@dataclass(frozen=True, slots=True)
class UpdateKeys:
    """All roles, and what waits.

    Attributes:
        roles: From root to timestamp.
        waits: ``keys`` or ``release`` if a change waits for signatures or to be published.
        missing: Roles of it that lack signatures.
    """

    roles: tuple[RoleFacts, ...]
    waits: str
    missing: tuple[Missing, ...]


def show_update_keys(installation: Installation) -> UpdateKeys:
    """Return what people ask of the keys.

    Raises:
        NotFoundError: there are no update keys yet.
        StateError: the repository is damaged.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        current, records = repository.read(), repository.records()
        staging = Staging(repository, current)
        staged = staging.read()
        missing = staging.missing(
            staged, Keyring(repository.keys_folder, (*records, *(staged.records or ())))
        )
    waits = "keys" if staged.root is not None else "release" if staged.targets is not None else ""
    roles = (tuf.ROOT, tuf.TARGETS, tuf.SNAPSHOT, tuf.TIMESTAMP)
    facts = tuple(_role(repository, current, role, records) for role in roles)
    return UpdateKeys(facts, waits, tuple(missing))


def _role(
    repository: Repository, current: Current, role: str, records: tuple[KeyRecord, ...]
) -> RoleFacts:
    metadata = getattr(current, role)
    named = current.root.signed.roles[role]
    keys = tuple(
        (each, each.is_uri or (repository.keys_folder / each.signer).exists())
        for each in sorted(records, key=lambda each: each.name)
        if each.keyid in named.keyids
    )
    return RoleFacts(
        role,
        0 if metadata is None else metadata.signed.version,
        None if metadata is None else metadata.signed.expires,
        named.threshold,
        keys,
    )
