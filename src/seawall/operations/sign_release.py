"""Signs releases: they wait, signed, until they are published."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seawall.model.release import Release
from seawall.operations.installation import Installation
from seawall.operations.targets_change import change_targets
from seawall.operations.update_signing import Signed, Signing
from seawall.updates import metadata as tuf
from seawall.updates.metadata import TargetsMetadata
from seawall.updates.release_bundle import BuiltRelease


@dataclass(frozen=True, slots=True)
class SignedReleases:
    """What was signed, and what came of it."""

    releases: tuple[Release, ...]
    signed: Signed


def sign_release(
    installation: Installation,
    built: Sequence[BuiltRelease],
    signing: Signing,
    *,
    publish: bool = False,
) -> SignedReleases:
    """Sign releases with the targets key; add them to those that wait already.

    Args:
        installation: Whose.
        built: The releases.
        signing: Who signs.
        publish: Publish at once if there are signatures enough.

    Raises:
        NotFoundError: there are no update keys.
        ConflictError: a version is not above those before, or a change of keys waits; or, to be
            published at once, something else waits that would be published with it.
        KeyAccessError: a key cannot be used, or none is at hand.
        StateError: the repository is damaged, or cannot be written.
    """
    releases = [each.release for each in built]

    def change(targets: TargetsMetadata) -> None:
        for release in sorted(releases, key=lambda each: each.version):
            tuf.add_release(targets.signed, release, installation.now_ms())

    signed = change_targets(
        installation, signing, change, built=built, publish=publish, alone=publish
    )
    kind = "release-published" if signed.written else "release-signed"
    installation.store.log(
        [installation.event(kind, each.target, sha256=each.sha256) for each in releases]
    )
    return SignedReleases(tuple(releases), signed)
