"""Which releases are published: for whoever lists them, or rolls one out."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import TargetFile

from seawall.errors import NotFoundError, ProtocolError
from seawall.model.release import Release
from seawall.updates import metadata as tuf
from seawall.updates.manifest import parse_manifest
from seawall.updates.release_bundle import release_of
from seawall.updates.repository import Repository, damaged


def list_releases(path: Path) -> list[Release]:
    """Return the published releases, by board, the newest last.

    Args:
        path: The folder of updates of an installation; without update keys there is no release.

    Raises:
        StateError: the repository is damaged.
    """
    repository = Repository(path)
    if not repository.exists:
        return []
    targets: dict[str, TargetFile] = repository.read().targets.signed.targets
    found = [_release(repository, name, target) for name, target in targets.items()]
    return sorted(found, key=lambda each: (each.board, each.version))


def find_release(path: Path, name: str) -> Release:
    """Return one published release.

    Args:
        path: The folder of updates of an installation.
        name: ``BOARD/VERSION``, its target path, or a version that one board alone has.

    Raises:
        NotFoundError: there is none, or several (``no-such-release``).
        StateError: the repository is damaged.
    """
    releases = list_releases(path)
    wanted = name.removesuffix(".json")
    found = [
        each
        for each in releases
        if wanted in {each.target.removesuffix(".json"), each.version.text}
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(each.target.removesuffix(".json") for each in found or releases)
    raise NotFoundError(
        f"{name} is {'no release' if not found else 'a release for several boards'}",
        reference="no-such-release",
        hint=f"there is {known}" if known else "nothing is published yet",
    )


def read_release(path: Path, release: Release) -> tuple[bytes, dict[str, bytes]]:
    """Return a published release's manifest, as it was signed, and its files by path.

    Args:
        path: The folder of updates of an installation.
        release: One of them.

    Raises:
        StateError: the repository is damaged.
    """
    repository = Repository(path)
    place = repository.manifest_path(release.target, release.sha256)
    contents: dict[str, bytes] = {}
    try:
        manifest = place.read_bytes()
        for each in release.files:
            place = repository.file_path(each.sha256)
            contents[each.path] = place.read_bytes()
            if hashlib.sha256(contents[each.path]).hexdigest() != each.sha256:
                raise damaged(place, "its contents are not what the manifest says")
    except OSError as error:
        raise damaged(place, error) from error
    return manifest, contents


def _release(repository: Repository, name: str, target: TargetFile) -> Release:
    board, version, kind, published_ms = tuf.custom_facts(target)
    path = repository.manifest_path(name, target.hashes["sha256"])
    try:
        data = path.read_bytes()
        target.verify_length_and_hashes(data)
        manifest = parse_manifest(data)
    except (OSError, ProtocolError, RepositoryError) as error:
        raise damaged(path, error) from error
    if (manifest.board, manifest.version, manifest.kind) != (board, version, kind):
        raise damaged(path, "it is another release than targets says")
    return release_of(manifest, data, published_ms)
