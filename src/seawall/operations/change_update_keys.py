"""Changes the keys of the update repository: all by a new root, signed by old and new keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from seawall.errors import UsageError
from seawall.operations.installation import Installation
from seawall.operations.update_signing import (
    NewKeys,
    Signed,
    Signing,
    check_key_places,
    keep_change,
    remove_keys,
    sign_change,
    write_keys,
)
from seawall.updates import metadata as tuf
from seawall.updates.keys import MadeKey
from seawall.updates.repository import Repository
from seawall.updates.root_draft import RootDraft
from seawall.updates.staging import Staged, Staging

Change = Callable[[RootDraft], None]


def rotate_update_key(
    installation: Installation, name: str, signing: Signing, new_keys: NewKeys
) -> Signed:
    """Replace one key, by its name, or the only key of a role.

    Raises:
        NotFoundError: there is no such key.
        SeawallError: as `change_update_keys`.
    """

    def change(draft: RootDraft) -> None:
        found = draft.of_role(name)
        draft.replace(found if len(found) == 1 else [draft.record(name)])

    return change_update_keys(installation, signing, new_keys, change, f"rotate {name}")


def recover_update_role(
    installation: Installation, role: str, signing: Signing, new_keys: NewKeys
) -> Signed:
    """Replace the keys of a role that was stolen, and those that lie beside it.

    Who had one online key had the server, so both are replaced. After targets
    the online keys are replaced too: devices drop the snapshot they trust only
    when its key goes, and with it a version that a thief may have raised.

    Raises:
        UsageError: a role of root keys: those are replaced one by one.
        SeawallError: as `change_update_keys`.
    """
    if role not in (*tuf.ONLINE, tuf.TARGETS):
        raise UsageError(
            f"{role!r} is not replaced as a whole",
            hint="timestamp, snapshot or targets; one stolen root key: "
            "seawall release keys rotate root-N",
        )
    roles = tuf.ONLINE if role in tuf.ONLINE else (tuf.TARGETS, *tuf.ONLINE)

    def change(draft: RootDraft) -> None:
        for each in roles:
            draft.replace(draft.of_role(each))

    return change_update_keys(installation, signing, new_keys, change, f"recover {role}")


def add_update_key(
    installation: Installation, role: str, signing: Signing, new_keys: NewKeys
) -> Signed:
    """Add a key to an offline role.

    Raises:
        SeawallError: as `change_update_keys`.
    """
    _check_offline(role)
    return change_update_keys(
        installation, signing, new_keys, lambda draft: draft.add(role), f"add {role}"
    )


def remove_update_key(installation: Installation, name: str, signing: Signing) -> Signed:
    """Take a key out of its role.

    Raises:
        NotFoundError: there is no such key.
        ConflictError: the role would have fewer keys than must sign.
        SeawallError: as `change_update_keys`.
    """

    def change(draft: RootDraft) -> None:
        draft.remove(draft.record(name))

    return change_update_keys(installation, signing, NewKeys(), change, f"remove {name}")


def set_update_threshold(
    installation: Installation, role: str, threshold: int, signing: Signing
) -> Signed:
    """Say how many keys of an offline role must sign.

    Raises:
        ConflictError: the role has not so many keys.
        SeawallError: as `change_update_keys`.
    """
    _check_offline(role)

    def change(draft: RootDraft) -> None:
        draft.set_threshold(role, threshold)

    what = f"threshold {role} {threshold}"
    return change_update_keys(installation, signing, NewKeys(), change, what)


def renew_update_root(installation: Installation, signing: Signing) -> Signed:
    """Sign root anew, with the same keys and a later end.

    Raises:
        SeawallError: as `change_update_keys`.
    """
    return change_update_keys(installation, signing, NewKeys(), lambda _draft: None, "renew")


def _check_offline(role: str) -> None:
    if role not in tuf.OFFLINE:
        raise UsageError(f"{role!r} is no offline role", hint="root or targets")


def change_update_keys(
    installation: Installation, signing: Signing, new_keys: NewKeys, change: Change, what: str
) -> Signed:
    """Draft the next root, sign it with the keys at hand, and publish it if they are enough.

    Nothing is written before a key has signed.

    Raises:
        NotFoundError: there are no update keys.
        ConflictError: another change waits for signatures, or the numbers do not fit.
        ConfigurationError: devices cannot verify a key.
        KeyAccessError: a key cannot be used, or its passphrase is wrong.
        StateError: the repository is damaged, or cannot be written.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        now = installation.now()
        Staging(repository, repository.read()).finish()
        current = repository.read()
        staging = Staging(repository, current)
        staging.check_empty()

        def make(role: str, name: str) -> MadeKey:
            return new_keys.make(repository, installation.now_ms(), role, name)

        draft = RootDraft(current, repository.records(), now, make)
        change(draft)
        check_key_places(repository, draft.made)
        staged = draft.staged()
        signing = replace(signing, made=tuple(draft.made))
        signed = sign_change(repository, current, staged, signing)
        write_keys(repository, draft.made)
        try:
            signed = keep_change(installation, repository, current, staged, signed)
        except BaseException:
            _undo(repository, draft.made, staged, staging)
            raise
    version = str(draft.root.signed.version)
    kind = "update-keys-changed" if signed.is_published else "update-keys-staged"
    installation.store.log([installation.event(kind, change=what, root=version)])
    return signed


def _undo(
    repository: Repository, made: Sequence[MadeKey], staged: Staged, staging: Staging
) -> None:
    if staging.is_begun(staged):
        return  # it is published, or `Staging.finish` does that; what failed came after
    staging.discard()
    remove_keys(repository, made)
