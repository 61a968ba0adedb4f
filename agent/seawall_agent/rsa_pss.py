"""RSASSA-PSS signatures with SHA-256, MGF1 and a salt of 32 bytes (RFC 8017), verified."""

from struct import pack

from . import sha256

_ALGORITHM = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"  # rsaEncryption
_EXPONENT = b"\2\3\1\0\1"  # 65537, as everybody makes keys


def verify(key, digest, signature):
    """Tell whether a signature is right.

    Args:
        key: DER (SubjectPublicKeyInfo) of 2048 to 4096 bits, in whole bytes, exponent 65537.
        digest: SHA-256 of the message.
        signature: As long as the modulus.
    """
    modulus = key[33:-5]
    size = len(modulus)
    if not 256 <= size <= 512 or len(signature) != size:
        return False
    # What is not modulus follows from its size.
    n = 0x3082, size + 34, _ALGORITHM, 0x382, size + 15, 0, 0x3082, size + 10, 0x282, size + 1, 0
    if pack(">HH15sHHBHHHHB", *n) + modulus + _EXPONENT != key:
        return False
    n = int.from_bytes(modulus, "big")
    number = int.from_bytes(signature, "big")
    if modulus[0] < 128 or not n & 1 or number >= n:
        return False
    signature = pow(number, 65537, n).to_bytes(size, "big")
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
