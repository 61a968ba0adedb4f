"""A change of what is released: the next targets, signed, and published if that is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seawall.operations.installation import Installation
from seawall.operations.update_signing import Signed, Signing, keep_change, sign_change
from seawall.updates import metadata as tuf
from seawall.updates.metadata import TargetsMetadata
from seawall.updates.release_bundle import BuiltRelease
from seawall.updates.repository import Repository
from seawall.updates.staging import Staged, Staging

Change = Callable[[TargetsMetadata], None]


def change_targets(
    installation: Installation,
    signing: Signing,
    change: Change,
    *,
    built: Sequence[BuiltRelease] = (),
    publish: bool,
    alone: bool = False,
) -> Signed:
    """Draft the next targets on top of what waits, sign, and publish if that is wanted.

    Nothing is written before a key has signed: whoever is interrupted while asked for a passphrase
    leaves nothing behind that the next change would take along.

    Args:
        installation: Whose.
        signing: Who signs.
        change: Changes the draft.
        built: Releases whose files are written.
        publish: Publish at once if there are signatures enough.
        alone: Refuse if something waits already, which would be published with it.

    Raises:
        NotFoundError: there are no update keys.
        ConflictError: a change of keys waits for signatures, or `change` refuses.
        KeyAccessError: a key cannot be used, or none is at hand.
        StateError: the repository is damaged, or cannot be written.
    """
    repository = Repository(Path(installation.paths.updates))
    repository.check_exists()
    with repository.exclusive():
        now = installation.now()
        Staging(repository, repository.read()).finish()
        current = repository.read()
        staging = Staging(repository, current)
        staging.check_empty() if alone else staging.check_no_root()
        before = staging.read()
        draft = tuf.next_targets(current.targets.signed, now)
        if before.targets is not None:
            draft.signed.targets = dict(before.targets.signed.targets)
            draft.signed.unrecognized_fields = dict(before.targets.signed.unrecognized_fields)
        change(draft)
        staged = Staged(None, draft, None)
        signed = sign_change(repository, current, staged, signing)
        for each in built:
            repository.write_release(each)
        return keep_change(installation, repository, current, staged, signed, publish=publish)
