"""Who signs for the update repository, as a person says it for one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seawall.errors import KeyAccessError, UsageError
from seawall.operations.installation import Installation
from seawall.pki import files
from seawall.updates import metadata as tuf
from seawall.updates.keys import (
    KeyRecord,
    Keyring,
    MadeKey,
    Passphrase,
    is_signer_uri,
    make_key,
    read_public_key,
)
from seawall.updates.repository import Current, Repository
from seawall.updates.staging import Missing, Staged, Staging


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and how.

    Attributes:
        passphrase: Returns the passphrase of a key that exists, by its name; empty: the key is
            left out.
        key_files: Files of offline keys that are kept elsewhere, such as a removable disk.
        made: Keys that were made just now.
    """

    passphrase: Passphrase | None = None
    key_files: tuple[Path, ...] = ()
    made: tuple[MadeKey, ...] = ()

    def keyring(self, repository: Repository, records: Sequence[KeyRecord]) -> Keyring:
        """Return the keys that can be found."""
        return Keyring(repository.keys_folder, records, self.passphrase, self.key_files, self.made)


@dataclass(frozen=True, slots=True)
class NewKeys:
    """How new keys are made.

    Attributes:
        passphrase: Returns the passphrase of a new offline key, by its name.
        folder: Where offline keys are written; None: below the state directory.
        signer: Instead of making a key: the URI of the one that signs (KMS, PKCS#11, ...).
        public_key: With ``signer``: file of its public half, PEM.
    """

    passphrase: Callable[[str], bytes] | None = None
    folder: Path | None = None
    signer: str | None = None
    public_key: Path | None = None

    def make(self, repository: Repository, at_ms: int, role: str, name: str) -> MadeKey:
        """Return a new key; its file is not written yet.

        Raises:
            UsageError: a passphrase is needed, or the URI is none.
            KeyAccessError: the public key cannot be read.
        """
        if self.signer is not None:
            return self._external(at_ms, role, name)
        if role in tuf.ONLINE:
            return make_key(role, name, f"{name}.pem", None, at_ms)
        passphrase = self.passphrase(name) if self.passphrase is not None else b""
        if not passphrase:
            raise UsageError(
                f"{name} is kept offline, encrypted, and there is no passphrase",
                reference="passphrase-needed",
                hint="run it at a terminal, or give --passphrase-fd N",
            )
        place = repository.offline_path(name)
        if self.folder is not None:
            place = str(self.folder.expanduser().resolve() / f"{name}.pem")
        return make_key(role, name, place, passphrase, at_ms)

    def _external(self, at_ms: int, role: str, name: str) -> MadeKey:
        if not is_signer_uri(self.signer or "") or self.public_key is None:
            raise UsageError(
                "a signer is a URI with a scheme, and its public key a PEM file",
                hint="--signer 'hsm:2?label=YubiKey+PIV+%2315835999' --public-key release.pub.pem",
            )
        key = read_public_key(self.public_key)
        tuf.check_scheme(key)
        record = KeyRecord(key.keyid, role, name, self.signer or "", at_ms)
        return MadeKey(record, key, b"")


def check_key_places(repository: Repository, made: Sequence[MadeKey]) -> None:
    """Check that files of new keys would be written over none that may be of use.

    In the state directory only a crash leaves a file with the name of a new key: no
    list names it, and nobody trusts it.

    Raises:
        KeyAccessError: a file of that name is there (``key-exists``).
    """
    kept = repository.keys_folder if repository.exists else None
    for path, _ in _key_places(repository, made):
        if path.exists() and kept not in path.parents:
            raise KeyAccessError(
                f"{path} is there already",
                reference="key-exists",
                hint="move it away, or name another folder with --out DIR",
            )


def write_keys(repository: Repository, made: Sequence[MadeKey]) -> None:
    """Write the files of new keys, mode 0600: all of them, or none.

    Raises:
        KeyAccessError: as `check_key_places`.
        StateError: one cannot be written.
    """
    check_key_places(repository, made)
    written: list[Path] = []
    try:
        for path, pem in _key_places(repository, made):
            _write_key(path, pem)
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def remove_keys(repository: Repository, made: Sequence[MadeKey]) -> None:
    """Remove the files of new keys again, wherever they are."""
    for path, _ in _key_places(repository, made):
        path.unlink(missing_ok=True)


def _key_places(repository: Repository, made: Sequence[MadeKey]) -> list[tuple[Path, bytes]]:
    return [(repository.keys_folder / each.record.signer, each.pem) for each in made if each.pem]


def _write_key(path: Path, pem: bytes) -> None:
    try:
        # A folder of the owner's keeps its mode: a removable disk has none to set.
        path.parent.mkdir(mode=files.PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        files.write_private(path, pem)
    except OSError as error:
        raise files.unwritable(path, error) from error


@dataclass(frozen=True, slots=True)
class Signed:
    """What came of signing.

    Attributes:
        names: Of the keys that signed now.
        written: Roles whose metadata were published; empty while signatures are missing.
        missing: Roles that lack signatures.
        added: Targets that the change adds to what was published.
        removed: Targets that it takes out.
    """

    names: tuple[str, ...]
    written: tuple[str, ...]
    missing: tuple[Missing, ...]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def is_published(self) -> bool:
        """Whether it is in force."""
        return not self.missing


def sign_change(
    repository: Repository, current: Current | None, staged: Staged, signing: Signing
) -> Signed:
    """Add the signatures that can be had to a change, in memory: nothing is written.

    Args:
        repository: Whose lock the caller holds.
        current: What is published; None before the first root.
        staged: The change.
        signing: Who signs.

    Raises:
        KeyAccessError: a key cannot be used; or none was at hand but new ones, and they are not
            enough (``signatures-missing``).
    """
    staging = Staging(repository, current)
    known = () if current is None else repository.records()
    records = {each.keyid: each for each in (*known, *(staged.records or ()))}
    keyring = signing.keyring(repository, list(records.values()))
    names = staging.sign(staged, keyring)
    missing = staging.missing(staged, keyring)
    added, removed = staging.difference(staged)
    signed = Signed(tuple(names), (), tuple(missing), tuple(added), tuple(removed))
    _check_anybody(signed, signing)
    return signed


def keep_change(
    installation: Installation,
    repository: Repository,
    current: Current | None,
    staged: Staged,
    signed: Signed,
    *,
    publish: bool = True,
) -> Signed:
    """Publish a change if it has signatures enough and that is wanted; else have it wait.

    Raises:
        StateError: the repository is damaged, or cannot be written.
        KeyAccessError: an online key cannot be used; the change is published all the same.
    """
    staging = Staging(repository, current)
    if publish and not signed.missing:
        return replace(signed, written=tuple(staging.publish(staged, installation.now())))
    staging.write(staged)
    return signed


def _check_anybody(signed: Signed, signing: Signing) -> None:
    new = {each.record.name for each in signing.made}
    if signed.missing and set(signed.names) <= new:
        first = signed.missing[0]
        raise KeyAccessError(
            f"no key that may sign {first.role} is at hand; nothing was changed",
            reference="signatures-missing",
            hint=f"bring one of {', '.join(first.names)} with --key FILE, and its passphrase: "
            "at a terminal, or with --passphrase-fd N",
        )
