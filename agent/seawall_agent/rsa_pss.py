"""RSASSA-PSS signatures with SHA-256, MGF1 and a salt of 32 bytes (RFC 8017), verified."""

from hashlib import sha256

_ALGORITHM = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"  # rsaEncryption


def _inside(der, tag):
    # What a DER element at the start of some bytes holds, and what comes after it.
    if der[0] != tag:
        raise ValueError
    size = der[1]
    at = 2
    if size > 128:
        at = size - 126
        size = int.from_bytes(der[2:at], "big")
    if at + size > len(der):
        raise ValueError
    return der[at : at + size], der[at + size :]


def verify(key, digest, signature):
    """Tell whether a signature is right.

    Args:
        key: DER (SubjectPublicKeyInfo) of 2048 to 4096 bits, in whole bytes.
        digest: SHA-256 of the message.
        signature: As long as the modulus.

    Raises:
        ValueError, IndexError: the key cannot be read.
    """
    key = _inside(key, 0x30)[0]
    if key[:15] != _ALGORITHM:
        return False
    key = _inside(key[15:], 3)[0]
    modulus, rest = _inside(_inside(key[1:], 0x30)[0], 2)
    exponent = int.from_bytes(_inside(rest, 2)[0], "big")
    size = len(modulus) - 1  # a zero keeps it from being negative
    if key[0] or modulus[0] or modulus[1] < 128 or not modulus[-1] & exponent & 1:
        return False
    if not 256 <= size <= 512 or len(signature) != size or not 2 < exponent < 1 << 33:
        return False
    modulus = int.from_bytes(modulus, "big")
    number = int.from_bytes(signature, "big")
    if number >= modulus:
        return False
    signature = pow(number, exponent, modulus).to_bytes(size, "big")
    # EMSA-PSS-VERIFY (section 9.1.2): padding, 1 and salt under a mask, then hash, then 0xbc.
    seen = signature[-33:-1]
    if signature[-1] != 0xBC or signature[0] > 127:
        return False
    size -= 33
    block = bytearray()
    for i in range((size + 31) // 32):
        block.extend(sha256(seen + i.to_bytes(4, "big")).digest())
    for i in range(size):
        block[i] ^= signature[i]
    block[0] &= 127
    if bytes(block[: size - 32]) != bytes(size - 33) + b"\1":
        return False
    return sha256(bytes(8) + digest + block[size - 32 : size]).digest() == seen
