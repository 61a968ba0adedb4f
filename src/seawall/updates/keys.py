"""The keys of the update repository: which there are, where, and how they sign.

``keys/keys.json`` says for each key its role, its name and where its private
half is: a file (offline ones encrypted under a passphrase) or a URI that
securesystemslib knows, for KMS, PKCS#11 tokens and YubiKeys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from securesystemslib.exceptions import Error as SignerError
from securesystemslib.signer import CryptoSigner, Key, Signer, SSlibKey
from tuf.api.metadata import Metadata

from seawall.errors import KeyAccessError, SeawallError, StateError
from seawall.pki.keys import (
    encode_key,
    is_encrypted,
    load_public_key,
    new_key,
    open_key,
    read_key,
)

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")

LEDGER: Final = "keys.json"
OFFLINE_FOLDER: Final = "offline"

Passphrase = Callable[[str], bytes]
"""Returns the passphrase of a key by its name; empty: the key is left out."""


def is_signer_uri(signer: str) -> bool:
    """Whether this begins with a scheme (``hsm:``); a file's absolute path does not."""
    return _URI.match(signer) is not None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key, and where its private half is.

    Attributes:
        keyid: As TUF metadata name it.
        role: What it signs.
        name: For people, such as ``root-2``.
        signer: A file, relative to the folder of keys or absolute, or a URI of securesystemslib.
        made_ms: When it was made, UTC milliseconds.
    """

    keyid: str
    role: str
    name: str
    signer: str
    made_ms: int

    @property
    def is_uri(self) -> bool:
        """Whether something else than a file of ours signs."""
        return is_signer_uri(self.signer)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key.

    Attributes:
        record: Its entry.
        key: Its public half.
        pem: The file of its private half; empty if something else than a file signs.
        signer: Signs with it while it is new, so that nobody is asked for what was just given.
    """

    record: KeyRecord
    key: Key
    pem: bytes
    signer: Signer | None = None


def render_ledger(records: Iterable[KeyRecord]) -> bytes:
    """Return ``keys.json``."""
    entries = [
        {
            "name": each.name,
            "role": each.role,
            "keyid": each.keyid,
            "signer": each.signer,
            "made_ms": each.made_ms,
        }
        for each in sorted(records, key=lambda each: each.name)
    ]
    return (json.dumps({"format": 1, "keys": entries}, indent=1) + "\n").encode()


def read_ledger(path: Path) -> tuple[KeyRecord, ...]:
    """Read ``keys.json``.

    Raises:
        StateError: it is missing or damaged.
    """
    try:
        members: Any = json.loads(path.read_bytes())
        if members["format"] != 1:
            raise ValueError(f"format {members['format']!r} is not known")
        return tuple(
            KeyRecord(e["keyid"], e["role"], e["name"], e["signer"], int(e["made_ms"]))
            for e in members["keys"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{path} cannot be read: {error}",
            reference="state-damaged",
            hint="restore it from a backup",
        ) from error


def next_name(role: str, records: Iterable[KeyRecord]) -> str:
    """Return a name for a new key of a role that no key has."""
    numbers = [
        int(each.name.rpartition("-")[2])
        for each in records
        if each.role == role and each.name.rpartition("-")[2].isdigit()
    ]
    return f"{role}-{max(numbers, default=0) + 1}"


def make_key(role: str, name: str, signer: str, passphrase: bytes | None, at_ms: int) -> MadeKey:
    """Make a P-256 key.

    Args:
        role: What it is to sign.
        name: For people.
        signer: File that it will stand in, relative to the folder of keys or absolute.
        passphrase: Encrypts it; None: it is not encrypted.
        at_ms: The time.
    """
    private = new_key()
    key = SSlibKey.from_crypto(private.public_key())
    record = KeyRecord(key.keyid, role, name, signer, at_ms)
    return MadeKey(record, key, encode_key(private, passphrase), CryptoSigner(private))


def keys_by_role(made: Iterable[MadeKey]) -> dict[str, list[Key]]:
    """Return the public halves by role, in order."""
    keys: dict[str, list[Key]] = {}
    for each in made:
        keys.setdefault(each.record.role, []).append(each.key)
    return keys


def read_public_key(path: Path) -> Key:
    """Read a public key, PEM.

    Raises:
        KeyAccessError: it cannot be read.
    """
    try:
        return SSlibKey.from_crypto(load_public_key(path))
    except (ValueError, SignerError) as error:
        raise KeyAccessError(
            f"{path} holds no public key that can be used: {error}", reference="key-damaged"
        ) from error


class Keyring:
    """Finds who can sign.

    Args:
        folder: Of the keys.
        records: Which keys there are.
        passphrase: Asked for each encrypted key that is used; None: none is.
        elsewhere: Files of keys that are kept in other places, such as a removable disk.
        made: Keys that were made just now.
    """

    def __init__(
        self,
        folder: Path,
        records: Sequence[KeyRecord],
        passphrase: Passphrase | None = None,
        elsewhere: Sequence[Path] = (),
        made: Sequence[MadeKey] = (),
    ) -> None:
        self._folder = folder
        self._records = {each.keyid: each for each in records}
        self._passphrase = passphrase
        self._elsewhere = list(elsewhere)
        self._new_names = {each.record.name for each in made}
        self._brought = {each.key.keyid: each.signer for each in made if each.signer is not None}

    def name_of(self, keyid: str) -> str:
        """Return what people call a key."""
        record = self._records.get(keyid)
        return keyid[:8] if record is None else record.name

    def sign(
        self, metadata: Metadata[Any], keys: Sequence[Key], done: Callable[[], bool]
    ) -> list[str]:
        """Add signatures until there are enough, or no further key is at hand.

        Args:
            metadata: What is signed.
            keys: That may sign, in the order they are tried.
            done: Tells whether there are signatures enough.

        Returns:
            Names of the keys that signed.

        Raises:
            KeyAccessError: a key cannot be read, or a signer fails; or no key but new ones could
                sign and a passphrase was wrong (several people have a passphrase each).
        """
        signed: list[str] = []
        locked: list[KeyAccessError] = []
        for key in keys:
            if done():
                break
            if key.keyid in metadata.signatures:
                continue
            signer = self._unlocked(key, locked)
            if signer is None:
                continue
            try:
                metadata.sign(signer, append=True)
            except Exception as error:  # whatever a vendor's library raises
                raise _signer_failed(self.name_of(key.keyid), error) from error
            signed.append(self.name_of(key.keyid))
        if locked and set(signed) <= self._new_names:
            raise locked[0]
        return signed

    def _unlocked(self, key: Key, locked: list[KeyAccessError]) -> Signer | None:
        try:
            return self._signer(key)
        except KeyAccessError as error:
            if error.reference != "wrong-passphrase":
                raise
            locked.append(error)
            return None

    def _signer(self, key: Key) -> Signer | None:
        """Return what signs for a key, None if it is not at hand."""
        self._bring()
        if key.keyid in self._brought:
            return self._brought[key.keyid]
        record = self._records.get(key.keyid)
        if record is None:
            return None
        if record.is_uri:
            return self._by_uri(record, key)
        path = self._folder / record.signer
        return self._by_file(path, record.name) if path.exists() else None

    def _bring(self) -> None:
        while self._elsewhere:
            path = self._elsewhere.pop()
            signer = self._by_file(path, str(path))
            if signer is not None:
                self._brought[signer.public_key.keyid] = signer

    def _by_file(self, path: Path, name: str) -> Signer | None:
        pem = read_key(path)
        if not is_encrypted(pem):
            return CryptoSigner(open_key(path, pem, None))
        tried: set[bytes] = set()
        while passphrase := self._passphrase(name) if self._passphrase else b"":
            try:
                return CryptoSigner(open_key(path, pem, passphrase))
            except KeyAccessError as error:
                # Whoever asks people asks again; whoever reads a file says the same again.
                if error.reference != "wrong-passphrase" or passphrase in tried:
                    raise
                tried.add(passphrase)
        return None

    def _by_uri(self, record: KeyRecord, key: Key) -> Signer:
        def ask(what: str) -> str:
            return self._passphrase(f"{record.name} ({what})").decode() if self._passphrase else ""

        try:
            return Signer.from_priv_key_uri(record.signer, key, ask)
        except SeawallError:
            raise
        except Exception as error:
            raise _signer_failed(record.name, error) from error


def _signer_failed(name: str, error: Exception) -> KeyAccessError:
    return KeyAccessError(
        f"the signer of {name} fails: {type(error).__name__}: {error}",
        reference="signer-failed",
        hint="securesystemslib's extras bring the libraries: pip install "
        "'securesystemslib[hsm]' (or awskms, gcpkms, azurekms, vault)",
    )
