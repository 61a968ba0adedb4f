"""Private keys to bytes and back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from seawall.errors import KeyAccessError
from seawall.pki import files
from seawall.pki.sealing import IV_BYTES, SALT_BYTES, seal_private_key


def encode_key(key: ec.EllipticCurvePrivateKey, passphrase: bytes | None) -> bytes:
    """Return a key as PKCS#8 PEM, encrypted if there is a passphrase."""
    if passphrase:
        return seal_private_key(key, passphrase, os.urandom(SALT_BYTES), os.urandom(IV_BYTES))
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def key_pem(der: bytes) -> bytes:
    """Return an unencrypted private key as PEM, as most clients on computers read it."""
    return serialization.load_der_private_key(der, None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_key(path: Path, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Read a private key that nobody else of this machine can reach, encrypted or not.

    Raises:
        KeyAccessError: as `Keystore.authority` says.
    """
    return open_key(path, files.read_private(path), passphrase)


def is_encrypted(pem: bytes) -> bool:
    """Whether a private key, PEM, opens with a passphrase alone."""
    return b"ENCRYPTED" in pem


def read_key(path: Path) -> bytes:
    """Return the file of a private key that may be on a removable disk, PEM.

    FAT has no modes: there all files are everybody's, and only a passphrase keeps a key.

    Raises:
        KeyAccessError: it is missing, cannot be read, or others may read it and it is not
            encrypted (``key-mode``).
    """
    return files.read_private(path, is_sealed=is_encrypted)


def open_key(path: Path, pem: bytes, passphrase: bytes | None) -> ec.EllipticCurvePrivateKey:
    """Return a private key.

    Args:
        path: Where it was read, for what is said.
        pem: Its file.
        passphrase: Opens it, if it is encrypted.

    Raises:
        KeyAccessError: as `Keystore.authority` says.
    """
    is_sealed = is_encrypted(pem)
    if is_sealed and not passphrase:
        raise KeyAccessError(
            f"{path} is encrypted",
            reference="passphrase-needed",
            hint="give its passphrase with --passphrase-file FILE or SEAWALL_PASSPHRASE_FILE",
        )
    try:
        key = serialization.load_pem_private_key(pem, passphrase if is_sealed else None)
    except (ValueError, TypeError) as error:
        if is_sealed:
            raise KeyAccessError(
                f"{path} does not open with this passphrase",
                reference="wrong-passphrase",
                hint="a file's last line break does not count; everything else does",
            ) from error
        raise KeyAccessError(
            f"{path} is damaged", reference="key-damaged", hint="restore it from a backup"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyAccessError(f"{path} is no elliptic-curve key", reference="key-damaged")
    return key


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def load_public_key(path: Path) -> Any:
    """Read a public key, PEM.

    Raises:
        KeyAccessError: it is missing, or no public key.
    """
    try:
        return serialization.load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        raise KeyAccessError(f"{path} is missing", reference="key-missing") from None
    except (OSError, ValueError) as error:
        raise KeyAccessError(
            f"{path} is no readable public key: {error}", reference="key-damaged"
        ) from error
