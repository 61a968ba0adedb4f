"""The update repository of an installation: the folder that devices read.

``metadata/`` and ``targets/`` as TUF lays them out, with consistent snapshots.
What counts as published is the newest root and the newest targets; `settle`
has snapshot and timestamp follow them. Everything is written before what names
it, so that a client meets no snapshot without its targets, and a crash leaves
the older state, or one that `settle` finishes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from seawall.errors import KeyAccessError, NotFoundError, StateError
from seawall.model.release import Release
from seawall.pki import files
from seawall.updates import metadata as tuf
from seawall.updates.keys import LEDGER, OFFLINE_FOLDER, KeyRecord, Keyring, read_ledger
from seawall.updates.release_bundle import BuiltRelease

KEPT_VERSIONS: Final = 10
"""Of snapshot and targets: clients in the middle of a refresh still find theirs."""
MAX_VERSION: Final = 2**31
"""Of a timestamp; one that is renewed every minute takes 4,000 years to get there."""

_VERSIONED: Final = re.compile(r"([1-9][0-9]{0,9})\.(root|targets|snapshot)\.json\Z")


@dataclass(frozen=True, slots=True)
class Current:
    """The metadata as they stand; snapshot and timestamp may be missing or outdated."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    snapshot: Metadata[Any] | None
    timestamp: Metadata[Any] | None


def root_metadata(path: Path) -> bytes | None:
    """Return the newest root metadata, exact bytes: what a device is born with.

    Args:
        path: The folder of updates of an installation.

    Returns:
        None if there are no update keys yet.
    """
    newest = Repository(path).newest(tuf.ROOT)
    return None if not newest else Repository(path).version_path(tuf.ROOT, newest).read_bytes()


class Repository:
    """A folder with a repository, or one where it is to be.

    Args:
        path: ``updates`` of a state directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata_folder = path / "metadata"
        self.targets_folder = path / "targets"
        self.keys_folder = path / "keys"
        self.staged_folder = path / "staged"

    @property
    def exists(self) -> bool:
        """Whether there are update keys."""
        return self.newest(tuf.ROOT) > 0

    def check_exists(self) -> None:
        """Check that there are update keys.

        Raises:
            NotFoundError: there are none (``no-update-keys``).
        """
        if not self.exists:
            raise NotFoundError(
                "this installation has no update keys yet",
                reference="no-update-keys",
                hint="seawall release keys create",
            )

    @contextlib.contextmanager
    def exclusive(self, *, wait: bool = True) -> Iterator[bool]:
        """Keep other processes from changing the repository meanwhile.

        Args:
            wait: Wait for its turn, however long: people are asked for passphrases under it.

        Yields:
            Whether it is ours; False only if another has it and `wait` is.

        Raises:
            StateError: the folder cannot be written (StoreFullError: the disk is full).
        """
        path = self.path / ".lock"
        try:
            files.make_private_directory(self.path)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise files.unwritable(path, error) from error
        try:
            yield _lock(descriptor, wait=wait)
        finally:
            os.close(descriptor)

    def newest(self, role: str) -> int:
        """Return the highest version of a role's metadata; 0 if there is none."""
        return max(self._versions(role), default=0)

    def _versions(self, role: str) -> list[int]:
        if not self.metadata_folder.is_dir():
            return []
        found = (_VERSIONED.match(entry.name) for entry in self.metadata_folder.iterdir())
        return [int(match[1]) for match in found if match and match[2] == role]

    def version_path(self, role: str, version: int) -> Path:
        """Return where one version of a role's metadata stands."""
        return self.metadata_folder / f"{version}.{role}.json"

    @property
    def timestamp_path(self) -> Path:
        """``timestamp.json``."""
        return self.metadata_folder / "timestamp.json"

    def records(self) -> tuple[KeyRecord, ...]:
        """Return which keys there are.

        Raises:
            StateError: the list is missing or damaged.
        """
        return read_ledger(self.keys_folder / LEDGER)

    def read(self) -> Current:
        """Read the newest metadata.

        Raises:
            NotFoundError: there are no update keys yet.
            StateError: root or targets are missing, damaged, or not signed as root asks.
        """
        self.check_exists()
        while True:
            version = self.newest(tuf.ROOT)
            try:
                return self._read(version)
            except StateError:
                # Without the lock a change of keys may come in between, and targets with it.
                if self.newest(tuf.ROOT) == version:
                    raise

    def _read(self, root_version: int) -> Current:
        root = self.load(self.version_path(tuf.ROOT, root_version))
        targets = self._targets(root.signed)
        snapshot_version = self.newest(tuf.SNAPSHOT)
        snapshot_path = self.version_path(tuf.SNAPSHOT, snapshot_version)
        snapshot = self._try_load(snapshot_path) if snapshot_version else None
        current = Current(root, targets, snapshot, self._try_load(self.timestamp_path))
        if not tuf.is_signed(root.signed, tuf.ROOT, root):
            raise damaged(self.metadata_folder, "root is not signed as it asks itself")
        return current

    def _targets(self, root: Root) -> Metadata[Targets]:
        newest = self.newest(tuf.TARGETS)
        path = self.version_path(tuf.TARGETS, newest)
        targets = self.load(path)
        if tuf.is_signed(root, tuf.TARGETS, targets):
            return targets
        # On its way in, with a root that is not there yet: what it replaces still counts.
        staged = self._try_load(self.staged_folder / f"{tuf.TARGETS}.json")
        previous = self.version_path(tuf.TARGETS, newest - 1)
        if staged is not None and staged.signed.version == newest and previous.exists():
            targets = self.load(previous)
            if tuf.is_signed(root, tuf.TARGETS, targets):
                return targets
        raise damaged(path, "it is not signed as root asks")

    def load(self, path: Path) -> Metadata[Any]:
        """Read a file of metadata.

        Raises:
            StateError: it is missing or damaged.
        """
        try:
            return Metadata[Any].from_bytes(path.read_bytes())
        except (OSError, RepositoryError) as error:
            raise damaged(path, str(error)) from error

    def _try_load(self, path: Path) -> Metadata[Any] | None:
        with contextlib.suppress(OSError, RepositoryError):
            return Metadata[Any].from_bytes(path.read_bytes())
        return None

    def write(self, role: str, metadata: Metadata[Any]) -> bytes:
        """Write a version of a role's metadata; return its bytes."""
        data = metadata.to_bytes()
        self.write_file(self.version_path(role, metadata.signed.version), data)
        return data

    def write_release(self, built: BuiltRelease) -> None:
        """Write a release's files and its manifest, which nothing names yet."""
        for path, data in self._places(built.release, built.contents, built.manifest_bytes):
            if not path.exists():
                self.write_file(path, data)

    def _places(
        self, release: Release, contents: Mapping[str, bytes], manifest: bytes
    ) -> Iterator[tuple[Path, bytes]]:
        for file in release.files:
            yield self.file_path(file.sha256), contents[file.path]
        yield self.manifest_path(release.target, release.sha256), manifest

    def file_path(self, sha256: str) -> Path:
        """Return where a file of a release stands, by its contents."""
        return self.targets_folder / "files" / sha256

    def manifest_path(self, target: str, sha256: str) -> Path:
        """Return where a target stands, as consistent snapshots name it."""
        folder, _, name = target.rpartition("/")
        return self.targets_folder / folder / f"{sha256}.{name}"

    def write_file(self, path: Path, data: bytes) -> None:
        """Write a file in one step.

        Raises:
            StateError: it cannot be written (StoreFullError: the disk is full).
        """
        try:
            files.make_private_directory(path.parent)
            files.write_private(path, data)
        except OSError as error:
            raise files.unwritable(path, error) from error

    def settle(self, now: datetime) -> list[str]:
        """Have snapshot and timestamp follow root and targets, if they do not, or end soon.

        The caller holds `exclusive`.

        Args:
            now: The time.

        Returns:
            The roles that were written anew.

        Raises:
            StateError: root or targets are missing, damaged, or not signed.
            KeyAccessError: an online key cannot be used.
        """
        current = self.read()
        keyring = Keyring(self.keys_folder, self.records())
        written = []
        if self._is_snapshot_due(current, now):
            targets = self.version_path(tuf.TARGETS, current.targets.signed.version).read_bytes()
            version = self.newest(tuf.SNAPSHOT) + 1
            snapshot = tuf.new_snapshot(version, targets, current.targets.signed.version, now)
            self._sign_online(current.root.signed, tuf.SNAPSHOT, snapshot, keyring)
            self.write(tuf.SNAPSHOT, snapshot)
            written.append(tuf.SNAPSHOT)
        if written or self._is_timestamp_due(current, now):
            named = self.newest(tuf.SNAPSHOT)
            data = self.version_path(tuf.SNAPSHOT, named).read_bytes()
            timestamp = tuf.new_timestamp(self._next_timestamp(current, now), data, named, now)
            self._sign_online(current.root.signed, tuf.TIMESTAMP, timestamp, keyring)
            self.write_file(self.timestamp_path, timestamp.to_bytes())
            written.append(tuf.TIMESTAMP)
        if written:
            self._prune()
        return written

    def _next_timestamp(self, current: Current, now: datetime) -> int:
        last: int | None = None
        if current.timestamp is not None:
            last = current.timestamp.signed.version
        elif self.newest(tuf.SNAPSHOT) == 1:
            last = 0
        if last is None or last >= MAX_VERSION:
            # Lost, or raised by a thief: the time is above any count, and far below the limit.
            last = int(now.timestamp())
        return last + 1

    def _is_snapshot_due(self, current: Current, now: datetime) -> bool:
        snapshot = current.snapshot
        if snapshot is None or not tuf.is_signed(current.root.signed, tuf.SNAPSHOT, snapshot):
            return True
        meta = snapshot.signed.meta.get("targets.json")
        is_other = meta is None or meta.version != current.targets.signed.version
        return is_other or _is_due(snapshot, now, tuf.SNAPSHOT_RENEW, tuf.SNAPSHOT_LIFE)

    def _is_timestamp_due(self, current: Current, now: datetime) -> bool:
        timestamp = current.timestamp
        if timestamp is None or not tuf.is_signed(current.root.signed, tuf.TIMESTAMP, timestamp):
            return True
        is_other = timestamp.signed.snapshot_meta.version != self.newest(tuf.SNAPSHOT)
        return is_other or _is_due(timestamp, now, tuf.TIMESTAMP_RENEW, tuf.TIMESTAMP_LIFE)

    def _sign_online(
        self, root: Root, role: str, metadata: Metadata[Any], keyring: Keyring
    ) -> None:
        keys = [root.keys[keyid] for keyid in root.roles[role].keyids]
        keyring.sign(metadata, keys, lambda: tuf.is_signed(root, role, metadata))
        if not tuf.is_signed(root, role, metadata):
            raise KeyAccessError(
                f"no key for {role} is in {self.keys_folder}",
                reference="key-missing",
                hint="restore it from a backup, or replace it: "
                f"seawall release keys recover {role}",
            )

    def _prune(self) -> None:
        for role in (tuf.TARGETS, tuf.SNAPSHOT):
            newest = self.newest(role)
            for version in self._versions(role):
                if version <= newest - KEPT_VERSIONS:
                    self.version_path(role, version).unlink(missing_ok=True)

    def offline_path(self, name: str) -> str:
        """Return where an offline key's file stands, relative to the folder of keys."""
        return f"{OFFLINE_FOLDER}/{name}.pem"


def _lock(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def _is_due(metadata: Metadata[Any], now: datetime, least: timedelta, life: timedelta) -> bool:
    """Whether metadata end soon; or later than any of now would: the clock was ahead."""
    left: timedelta = metadata.signed.expires - now
    return left < least or left > life


def damaged(path: Path, why: object) -> StateError:
    """Return the error to raise when something in the repository is not what it must be."""
    return StateError(
        f"the update repository is damaged: {path}: {why}",
        reference="state-damaged",
        hint="restore it from a backup",
    )
