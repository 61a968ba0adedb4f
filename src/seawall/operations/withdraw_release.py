"""Takes a release back: no device is offered it any more."""

from __future__ import annotations

from pathlib import Path

from seawall.errors import ConflictError
from seawall.model.release import Release
from seawall.operations.installation import Installation
from seawall.operations.targets_change import change_targets
from seawall.operations.update_signing import Signed, Signing
from seawall.updates import metadata as tuf
from seawall.updates.metadata import TargetsMetadata
from seawall.updates.releases import find_release


def withdraw_release(
    installation: Installation, name: str, signing: Signing
) -> tuple[Release, Signed]:
    """Take a release out of targets; its version stays used, and devices that run it go on.

    Not while it is rolled out: devices that have the order already would fail with it.

    Args:
        installation: Whose.
        name: As `updates.releases.find_release` takes it.
        signing: Who signs.

    Raises:
        NotFoundError: there is no such release.
        ConflictError: a roll-out of it is not over (``release-rolled-out``).
        SeawallError: as `change_targets`.
    """
    release = find_release(Path(installation.paths.updates), name)

    def withdraw(targets: TargetsMetadata) -> None:
        _check_not_rolled_out(installation, release)
        tuf.withdraw_release(targets.signed, release.target)

    signed = change_targets(installation, signing, withdraw, publish=True, alone=True)
    kind = "release-withdrawn" if signed.written else "release-withdrawal-staged"
    installation.store.log([installation.event(kind, release.target)])
    return release, signed


def _check_not_rolled_out(installation: Installation, release: Release) -> None:
    for rollout in installation.store.rollouts():
        if rollout.state.is_open and rollout.target == release.target:
            raise ConflictError(
                f"roll-out {rollout.rollout_id} offers {release.target.removesuffix('.json')}, "
                "and is not over",
                reference="release-rolled-out",
                hint=f"'seawall rollout abort {rollout.rollout_id}' first",
            )
