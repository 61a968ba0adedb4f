"""What the TUF metadata of an installation say, and how one version follows another. Pure.

TUF 1.0 (https://theupdateframework.github.io/specification/v1.0.33/). Root and targets are
signed by offline keys, snapshot and timestamp by keys on the server.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from securesystemslib.signer import Key
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from seawall.errors import ConfigurationError, ConflictError
from seawall.model.device import Board
from seawall.model.release import Release, ReleaseKind, Version, parse_version

TargetsMetadata = Metadata[Targets]

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
OFFLINE: Final = (ROOT, TARGETS)
ONLINE: Final = (SNAPSHOT, TIMESTAMP)

ROOT_LIFE: Final = timedelta(days=2 * 365)
"""A device trusts no root beyond its end, so it is renewed by hand long before."""
TARGETS_LIFE: Final = timedelta(days=365)
"""Each release renews it."""
SNAPSHOT_LIFE: Final = timedelta(days=60)
TIMESTAMP_LIFE: Final = timedelta(days=7)
"""For so long at most a device can be kept from hearing of a release (TUF: freeze)."""
TIMESTAMP_RENEW: Final = timedelta(days=5)
"""Renewed when less is left: a server that stands still over a few days freezes nobody."""
SNAPSHOT_RENEW: Final = timedelta(days=30)

SCHEMES: Final = frozenset({"ecdsa-sha2-nistp256", "rsassa-pss-sha256"})
"""What devices verify."""
MAX_KEYS_PER_ROLE: Final = 8

_FLOORS: Final = "x-seawall-floors"


def check_scheme(key: Key) -> None:
    """Check that devices can verify what a key signs.

    Raises:
        ConfigurationError: they cannot (``update-key-scheme``).
    """
    if key.scheme not in SCHEMES:
        raise ConfigurationError(
            f"devices verify no {key.scheme} signatures",
            reference="update-key-scheme",
            hint="use a key for " + " or ".join(sorted(SCHEMES)),
        )


def first_root(
    keys: Mapping[str, Sequence[Key]], thresholds: Mapping[str, int], now: datetime
) -> Metadata[Root]:
    """Return version 1 of root, not signed yet."""
    root = Root(expires=_end(now, ROOT_LIFE), consistent_snapshot=True)
    for role, role_keys in keys.items():
        for key in role_keys:
            check_scheme(key)
            root.add_key(key, role)
        root.roles[role].threshold = thresholds.get(role, 1)
    return Metadata(root)


def next_root(root: Root, now: datetime) -> Metadata[Root]:
    """Return the following version of root, to be changed and signed."""
    following = copy.deepcopy(root)
    following.version += 1
    following.expires = _end(now, ROOT_LIFE)
    return Metadata(following)


def replace_keys(root: Root, role: str, old: Iterable[str], new: Iterable[Key]) -> None:
    """Take keys out of a role and put others in."""
    for keyid in old:
        root.revoke_key(keyid, role)
    for key in new:
        check_scheme(key)
        root.add_key(key, role)
    if len(root.roles[role].keyids) > MAX_KEYS_PER_ROLE:
        raise ConflictError(
            f"{role} would have {len(root.roles[role].keyids)} keys",
            reference="update-threshold",
            hint=f"at most {MAX_KEYS_PER_ROLE}: every device reads them all",
        )
    check_threshold(root, role, root.roles[role].threshold)


def check_threshold(root: Root, role: str, threshold: int) -> None:
    """Check that a role has keys enough.

    Raises:
        ConflictError: it has fewer than the threshold (``update-threshold``).
    """
    count = len(root.roles[role].keyids)
    if not 1 <= threshold <= count:
        raise ConflictError(
            f"{role} has {count} key(s), so that {threshold} cannot be asked for",
            reference="update-threshold",
            hint=f"add one first: seawall release keys add {role}",
        )


def first_targets(now: datetime) -> Metadata[Targets]:
    """Return version 1 of targets: no release yet."""
    return Metadata(Targets(expires=_end(now, TARGETS_LIFE)))


def next_targets(targets: Targets, now: datetime) -> Metadata[Targets]:
    """Return the following version of targets, to be changed and signed."""
    following = copy.deepcopy(targets)
    following.version += 1
    following.expires = _end(now, TARGETS_LIFE)
    return Metadata(following)


def add_release(targets: Targets, release: Release, at_ms: int) -> None:
    """Put a release in.

    Raises:
        ConflictError: its version is not above every one before (``version-not-newer``).
    """
    highest = highest_version(targets, release.board)
    if highest is not None and release.version <= highest:
        raise ConflictError(
            f"{release.board} has version {highest} already; {release.version} is not above it",
            reference="version-not-newer",
            hint="devices never go back: build it with a higher --version",
        )
    custom = {
        "board": release.board,
        "version": release.version.text,
        "kind": release.kind.value,
        "published_ms": at_ms,
    }
    targets.targets[release.target] = TargetFile(
        release.length, {"sha256": release.sha256}, release.target, {"custom": custom}
    )


def withdraw_release(targets: Targets, target: str) -> None:
    """Take a release out; its version stays used."""
    custom = targets.targets.pop(target).custom
    floors = dict(targets.unrecognized_fields.get(_FLOORS, {}))
    version = parse_version(custom["version"])
    known = floors.get(custom["board"])
    if known is None or parse_version(known) < version:
        floors[custom["board"]] = version.text
    targets.unrecognized_fields[_FLOORS] = floors


def highest_version(targets: Targets, board: str) -> Version | None:
    """Return the highest version that was ever published for a board."""
    found = [
        parse_version(target.custom["version"])
        for target in targets.targets.values()
        if target.custom["board"] == board
    ]
    floor = targets.unrecognized_fields.get(_FLOORS, {}).get(board)
    found += [parse_version(floor)] if floor else []
    return max(found, default=None)


def custom_facts(target: TargetFile) -> tuple[Board, Version, ReleaseKind, int]:
    """Return what a target says of its release."""
    custom: Any = target.custom
    return (
        Board(custom["board"]),
        parse_version(custom["version"]),
        ReleaseKind(custom["kind"]),
        int(custom.get("published_ms", 0)),
    )


def new_snapshot(
    version: int, targets: bytes, targets_version: int, now: datetime
) -> Metadata[Any]:
    """Return a snapshot that names one version of targets."""
    meta = MetaFile.from_data(targets_version, targets, ["sha256"])
    return Metadata(
        Snapshot(version=version, expires=_end(now, SNAPSHOT_LIFE), meta={"targets.json": meta})
    )


def new_timestamp(
    version: int, snapshot: bytes, snapshot_version: int, now: datetime
) -> Metadata[Any]:
    """Return a timestamp that names one version of snapshot."""
    meta = MetaFile.from_data(snapshot_version, snapshot, ["sha256"])
    return Metadata(
        Timestamp(version=version, expires=_end(now, TIMESTAMP_LIFE), snapshot_meta=meta)
    )


def is_signed(root: Root, role: str, metadata: Metadata[Any]) -> bool:
    """Whether metadata carry as many signatures as root asks of their role."""
    result = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    return bool(result)


def is_root_signed(previous: Root | None, root: Metadata[Root]) -> bool:
    """Whether a root is signed as its predecessor and itself ask."""
    result = root.signed.get_root_verification_result(previous, root.signed_bytes, root.signatures)
    return bool(result)


def _end(now: datetime, life: timedelta) -> datetime:
    return now.replace(microsecond=0) + life
