"""Makes the keys of the update repository, and its first metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seawall.errors import ConflictError, UsageError
from seawall.operations.installation import Installation
from seawall.operations.update_signing import (
    NewKeys,
    Signing,
    check_key_places,
    keep_change,
    remove_keys,
    sign_change,
    write_keys,
)
from seawall.pki import files
from seawall.updates import metadata as tuf
from seawall.updates.keys import KeyRecord, MadeKey, keys_by_role
from seawall.updates.repository import Repository
from seawall.updates.staging import Staged

ROOT_KEYS, ROOT_THRESHOLD = 3, 2


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """How many keys are made, and how many of them must sign.

    Attributes:
        roots: Root keys.
        root_threshold: Root keys that must sign.
        targets: Targets keys.
        targets_threshold: Targets keys that must sign.
    """

    roots: int = ROOT_KEYS
    root_threshold: int = ROOT_THRESHOLD
    targets: int = 1
    targets_threshold: int = 1


def create_update_keys(
    installation: Installation, new_keys: NewKeys, plan: KeyPlan | None = None
) -> tuple[KeyRecord, ...]:
    """Make root, targets, snapshot and timestamp keys, and sign the first metadata.

    Args:
        installation: Whose.
        new_keys: How offline keys are encrypted, and where they are written.
        plan: How many; by default 2 of 3 root keys and one targets key.

    Returns:
        The keys.

    Raises:
        ConflictError: there are keys already (``update-keys-exist``).
        UsageError: the numbers do not fit, or there is no passphrase.
        KeyAccessError: a key's file is there already.
        StateError: the folder cannot be written.
    """
    plan = plan or KeyPlan()
    _check(plan)
    repository = Repository(Path(installation.paths.updates))
    with repository.exclusive():
        if repository.exists:
            raise ConflictError(
                "this installation has update keys already; nothing was changed",
                reference="update-keys-exist",
                hint="'seawall release keys show' lists them; 'rotate' replaces one",
            )
        files.remove_tree(repository.staged_folder)
        made = _make(installation, repository, new_keys, plan)
        check_key_places(repository, made)
        now = installation.now()
        thresholds = {tuf.ROOT: plan.root_threshold, tuf.TARGETS: plan.targets_threshold}
        records = tuple(each.record for each in made)
        root = tuf.first_root(keys_by_role(made), thresholds, now)
        staged = Staged(root, tuf.first_targets(now), records)
        signed = sign_change(repository, None, staged, Signing(made=tuple(made)))
        write_keys(repository, made)
        try:
            keep_change(installation, repository, None, staged, signed)
        except BaseException:
            if not repository.exists:
                files.remove_tree(repository.staged_folder)
                remove_keys(repository, made)
            raise
    installation.store.log([installation.event("update-keys-created", keys=str(len(made)))])
    return records


def _check(plan: KeyPlan) -> None:
    for role, count, threshold in (
        (tuf.ROOT, plan.roots, plan.root_threshold),
        (tuf.TARGETS, plan.targets, plan.targets_threshold),
    ):
        if not 1 <= threshold <= count <= tuf.MAX_KEYS_PER_ROLE:
            raise UsageError(
                f"{threshold} of {count} {role} keys cannot be",
                reference="update-threshold",
                hint=f"1 to {tuf.MAX_KEYS_PER_ROLE} keys, and at most so many that must sign",
            )


def _make(
    installation: Installation, repository: Repository, new_keys: NewKeys, plan: KeyPlan
) -> list[MadeKey]:
    at_ms = installation.now_ms()
    counts = {tuf.ROOT: plan.roots, tuf.TARGETS: plan.targets, tuf.SNAPSHOT: 1, tuf.TIMESTAMP: 1}
    return [
        new_keys.make(repository, at_ms, role, f"{role}-{number}")
        for role, count in counts.items()
        for number in range(1, count + 1)
    ]
