"""Takes a release back: no device is offered it any more."""

from __future__ import annotations

from pathlib import Path

from seawall.model.release import Release
from seawall.operations.installation import Installation
from seawall.operations.targets_change import change_targets
from seawall.operations.update_signing import Signed, Signing
from seawall.updates import metadata as tuf
from seawall.updates.releases import find_release


def withdraw_release(
    installation: Installation, name: str, signing: Signing
) -> tuple[Release, Signed]:
    """Take a release out of targets; its version stays used, and devices that run it go on.

    Args:
        installation: Whose.
        name: As `updates.releases.find_release` takes it.
        signing: Who signs.

    Raises:
        NotFoundError: there is no such release.
        SeawallError: as `change_targets`.
    """
    release = find_release(Path(installation.paths.updates), name)
    signed = change_targets(
        installation,
        signing,
        lambda targets: tuf.withdraw_release(targets.signed, release.target),
        publish=True,
        alone=True,
    )
    kind = "release-withdrawn" if signed.written else "release-withdrawal-staged"
    installation.store.log([installation.event(kind, release.target)])
    return release, signed
