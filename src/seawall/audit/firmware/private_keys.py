"""Finds private keys, in PEM and in DER, without reading what they hold."""

from __future__ import annotations

import re
from typing import Final

_PEM: Final = re.compile(
    rb"-----BEGIN (?:(RSA|EC|DSA|OPENSSH|ENCRYPTED|ANY) )?PRIVATE KEY-----"
    rb"((?:(?!-----).){0,8192}?)-----END",
    re.DOTALL,
)
_ENCRYPTED_HEADER: Final = b"4,ENCRYPTED"
_MIN_BASE64: Final = 40
_MAX_DER_BYTES: Final = 8192
_INTEGER, _OCTETS, _SEQUENCE, _OID = 0x02, 0x04, 0x30, 0x06
_NAMES: Final = {
    bytes.fromhex("2a8648ce3d0201"): "EC",
    bytes.fromhex("2a864886f70d010101"): "RSA",
    bytes.fromhex("2b6570"): "Ed25519",
    bytes.fromhex("2b6571"): "Ed448",
    bytes.fromhex("2b656e"): "X25519",
}


def private_key_in(data: bytes) -> str | None:
    """Return what private key a file is or holds, such as ``EC private key``; else None.

    Keys under a passphrase are none: who reads them has nothing.
    """
    for match in _PEM.finditer(data):
        kind, body = match[1], match[2]
        if kind == b"ENCRYPTED" or _ENCRYPTED_HEADER in body:
            continue
        if len(re.sub(rb"[^A-Za-z0-9+/=]", b"", body)) >= _MIN_BASE64:
            name = kind.decode() + " " if kind not in {None, b"ANY"} else ""
            return f"{name}private key"
    return _der_key(data)


def _der_key(data: bytes) -> str | None:
    """Recognise PKCS #8 (RFC 5958), SEC 1 (RFC 5915) and PKCS #1 (RFC 8017) keys."""
    if not 16 <= len(data) <= _MAX_DER_BYTES or data[0] != _SEQUENCE:
        return None
    outer = _element(data, 0)
    if outer is None or outer[2] != len(data):
        return None
    parts = _parts(data, outer[1], outer[2])
    tags = [data[start] for start, _, _ in parts]
    if tags[:3] == [_INTEGER, _SEQUENCE, _OCTETS]:
        inside = _parts(data, parts[1][1], parts[1][2])
        oid = data[inside[0][1] : inside[0][2]] if inside else b""
        return f"{_NAMES[oid]} private key" if oid in _NAMES else None
    version = data[parts[0][1] : parts[0][2]] if parts else b""
    if tags[:2] == [_INTEGER, _OCTETS] and version == b"\x01":
        return "EC private key" if 16 <= parts[1][2] - parts[1][1] <= 66 else None
    if len(tags) == 9 and set(tags) == {_INTEGER} and version == b"\0":
        return "RSA private key"
    return None


def _parts(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    while start < end and len(found) < 16:
        element = _element(data, start)
        if element is None or element[2] > end:
            return []
        found.append((start, element[1], element[2]))
        start = element[2]
    return found


def _element(data: bytes, start: int) -> tuple[int, int, int] | None:
    """Return tag, and where the content of a DER element begins and ends."""
    if start + 2 > len(data):
        return None
    tag, length, position = data[start], data[start + 1], start + 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 3 or position + count > len(data):
            return None
        length = int.from_bytes(data[position : position + count])
        position += count
    return (tag, position, position + length) if position + length <= len(data) else None
