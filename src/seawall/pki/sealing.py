"""Private keys under a passphrase: PKCS#8, PBES2 with scrypt and AES-256-CBC.

Written here because ``BestAvailableEncryption`` of `cryptography` derives the
key by PBKDF2 with 2,048 rounds, some thousand times cheaper to guess. The
result is standard (RFC 5958, RFC 8018, RFC 7914): `cryptography` and
``openssl pkey`` read it.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

SALT_BYTES: Final = 16
IV_BYTES: Final = 16

_COST: Final = 2**14
_BLOCK: Final = 8
_PARALLEL: Final = 5
# 16 MiB: OpenSSL refuses parameters that need more than 32 MiB, so the cost is
# raised by p instead (the OWASP cheat sheet counts N=2^14, p=5 as N=2^17, p=1).

_OID_PBES2: Final = bytes.fromhex("06092a864886f70d01050d")
_OID_SCRYPT: Final = bytes.fromhex("06092b06010401da47040b")
_OID_AES_256_CBC: Final = bytes.fromhex("060960864801650304012a")


def _tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def seal_private_key(
    key: ec.EllipticCurvePrivateKey, passphrase: bytes, salt: bytes, iv: bytes
) -> bytes:
    """Return a key as ``ENCRYPTED PRIVATE KEY`` PEM.

    Args:
        key: The key.
        passphrase: Not empty.
        salt: `SALT_BYTES` random bytes, never used before.
        iv: `IV_BYTES` random bytes.
    """
    secret = Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_PARALLEL).derive(passphrase)
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(secret), modes.CBC(iv)).encryptor()
    padded = padder.update(plain) + padder.finalize()
    sealed = encryptor.update(padded) + encryptor.finalize()
    scrypt = _tlv(
        0x30,
        _OID_SCRYPT,
        _tlv(
            0x30,
            _tlv(0x04, salt),
            _integer(_COST),
            _integer(_BLOCK),
            _integer(_PARALLEL),
            _integer(32),
        ),
    )
    cipher = _tlv(0x30, _OID_AES_256_CBC, _tlv(0x04, iv))
    scheme = _tlv(0x30, _OID_PBES2, _tlv(0x30, scrypt, cipher))
    return _pem(_tlv(0x30, scheme, _tlv(0x04, sealed)))


def _pem(der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    label = "ENCRYPTED PRIVATE KEY"
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()
