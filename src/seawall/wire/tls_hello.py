"""The first flight of a TLS handshake up to 1.2, bytes to facts and back.

A library offers what it was built with, and today's OpenSSL knows neither SSL 3.0 nor RC4.
What a server takes is decided by its first answer, in the clear up to TLS 1.2: so a
ClientHello is built here with any version and any suites, and the answer is read.

RFC 6101 (SSL 3.0), RFC 2246, RFC 4346, RFC 5246 (TLS 1.0 to 1.2), RFC 8422 (elliptic
curves), RFC 5746 (renegotiation). What a server sends is not trusted: lengths are checked,
and the size is limited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from seawall.wire.tls_suites import suite_name

MAX_FLIGHT_BYTES: Final = 256 * 1024
"""Certificates included; OpenSSL itself takes 100 KiB of them."""
MAX_CERTIFICATES: Final = 16
RANDOM_BYTES: Final = 32

_ALERT: Final = 21
_HANDSHAKE: Final = 22
_SERVER_HELLO: Final = 2
_CERTIFICATE: Final = 11
_SERVER_KEY_EXCHANGE: Final = 12
_CERTIFICATE_REQUEST: Final = 13
_SERVER_HELLO_DONE: Final = 14
_MAX_RECORD_BYTES: Final = 16_384 + 2_048

_SERVER_NAME: Final = 0
_GROUPS: Final = 10
_POINT_FORMATS: Final = 11
_SIGNATURE_ALGORITHMS: Final = 13
_RENEGOTIATION_INFO: Final = 0xFF01
_EMPTY_RENEGOTIATION: Final = 0x00FF  # a suite that says the same to servers without extensions
_CURVES: Final = (29, 23, 24, 25, 30, 22, 21, 19, 26, 27, 28)  # x25519, P-256, ..., Brainpool
_SIGNATURES: Final = (
    *(0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080A, 0x080B),
    *(0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0203, 0x0201, 0x0402, 0x0202, 0x0101),
)


class NotTlsError(ValueError):
    """The bytes are no TLS answer, or one that breaks its own rules."""


class TlsVersion(IntEnum):
    """Versions as they stand on the wire."""

    SSL_3_0 = 0x0300
    TLS_1_0 = 0x0301
    TLS_1_1 = 0x0302
    TLS_1_2 = 0x0303

    @property
    def text(self) -> str:
        """As people write it."""
        return "SSL 3.0" if self is TlsVersion.SSL_3_0 else f"TLS 1.{(self & 0xFF) - 1}"


@dataclass(frozen=True, slots=True)
class ServerFlight:
    """What the server answered to a ClientHello.

    Attributes:
        alert: Number of the alert, if it answered with one and said no hello.
        version: That it chose; None without a hello.
        suite: That it chose.
        compression: Method that it chose; 0 is none.
        renegotiates_securely: It answered the renegotiation extension (RFC 5746).
        certificates: DER, its own first; the rest as it sent them.
        wants_certificate: It asked for a client certificate.
        dh_bits: Size of its Diffie-Hellman group, if the suite uses one.
        complete: Its part of the flight came to its end.
    """

    alert: int | None = None
    version: int | None = None
    suite: int = 0
    compression: int = 0
    renegotiates_securely: bool = False
    certificates: tuple[bytes, ...] = ()
    wants_certificate: bool = False
    dh_bits: int | None = None
    complete: bool = False

    @property
    def suite_name(self) -> str:
        """OpenSSL's name of the suite."""
        return suite_name(self.suite)


# Our side


def _vector(length_bytes: int, content: bytes) -> bytes:
    return len(content).to_bytes(length_bytes, "big") + content


def _numbers(values: tuple[int, ...]) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + _vector(2, content)


def client_hello(
    version: TlsVersion,
    suites: tuple[int, ...],
    random: bytes,
    server_name: str = "",
) -> bytes:
    """Return a ClientHello in its record.

    DEFLATE is offered beside no compression: whether a server takes it is a finding.

    Args:
        version: The highest that is offered; in truth the only one that matters.
        suites: Code points, the preferred first.
        random: 32 bytes.
        server_name: For the server name indication; empty for an address.
    """
    extensions = b""
    if version > TlsVersion.SSL_3_0:  # RFC 6101 knows no extensions
        if server_name:
            name = b"\0" + _vector(2, server_name.encode("ascii", "ignore"))
            extensions += _extension(_SERVER_NAME, _vector(2, name))
        extensions += _extension(_GROUPS, _vector(2, _numbers(_CURVES)))
        extensions += _extension(_POINT_FORMATS, b"\x01\0")
        extensions += _extension(_RENEGOTIATION_INFO, b"\0")
    if version >= TlsVersion.TLS_1_2:
        extensions += _extension(_SIGNATURE_ALGORITHMS, _vector(2, _numbers(_SIGNATURES)))
    body = version.to_bytes(2, "big") + random + b"\0"
    body += _vector(2, _numbers((*suites, _EMPTY_RENEGOTIATION)))
    body += _vector(1, b"\x01\0")
    body += _vector(2, extensions) if extensions else b""
    message = b"\x01" + _vector(3, body)
    record_version = min(version, TlsVersion.TLS_1_0)  # RFC 5246, appendix E.1
    return bytes((_HANDSHAKE,)) + record_version.to_bytes(2, "big") + _vector(2, message)


# Their side


class _Reader:
    """Takes fields off bytes; too few of them is a `NotTlsError`."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._content) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise NotTlsError("a field is longer than its message")
        self._at += count
        return self._content[self._at - count : self._at]

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def vector(self, length_bytes: int) -> bytes:
        return self.take(self.number(length_bytes))


def parse_flight(received: bytes) -> ServerFlight:
    """Return what is known after these bytes; ``complete`` once nothing more is to come.

    Total on any input: what is cut off is not complete, what is no TLS is an error.

    Raises:
        NotTlsError: no TLS records, or messages that contradict themselves.
    """
    messages = bytearray()
    for kind, content in _records(received):
        if kind == _ALERT:
            if len(content) != 2:
                raise NotTlsError("an alert of the wrong length")
            return _flight(_messages(bytes(messages)), alert=content[1])
        messages += content
    return _flight(_messages(bytes(messages)), alert=None)


def _records(received: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(received):
        kind = received[at]
        if kind not in (_ALERT, _HANDSHAKE) or (len(received) > at + 1 and received[at + 1] != 3):
            raise NotTlsError("no TLS record")
        if len(received) < at + 5:
            return
        length = int.from_bytes(received[at + 3 : at + 5], "big")
        if not 0 < length <= _MAX_RECORD_BYTES:
            raise NotTlsError("a record of an impossible length")
        if len(received) < at + 5 + length:
            return
        yield kind, received[at + 5 : at + 5 + length]
        at += 5 + length


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while len(content) >= at + 4:
        length = int.from_bytes(content[at + 1 : at + 4], "big")
        if length > MAX_FLIGHT_BYTES:
            raise NotTlsError("a handshake message of an impossible length")
        if len(content) < at + 4 + length:
            return
        yield content[at], content[at + 4 : at + 4 + length]
        at += 4 + length


def _flight(messages: Iterator[tuple[int, bytes]], alert: int | None) -> ServerFlight:
    hello: dict[str, int | bool] = {}
    certificates: tuple[bytes, ...] = ()
    wants_certificate = is_done = False
    dh_bits = None
    for number, (kind, body) in enumerate(messages):
        if (number == 0) != (kind == _SERVER_HELLO):
            raise NotTlsError("a handshake that does not begin with one ServerHello")
        if kind == _SERVER_HELLO:
            hello = _server_hello(body)
        elif kind == _CERTIFICATE:
            certificates = _certificates(body)
        elif kind == _SERVER_KEY_EXCHANGE and _uses_dh(int(hello["suite"])):
            dh_bits = int.from_bytes(_Reader(body).vector(2), "big").bit_length()
        elif kind == _CERTIFICATE_REQUEST:
            wants_certificate = True
        elif kind == _SERVER_HELLO_DONE:
            is_done = True
            break
    return ServerFlight(
        alert=None if hello else alert,
        version=int(hello["version"]) if hello else None,
        suite=int(hello.get("suite", 0)),
        compression=int(hello.get("compression", 0)),
        renegotiates_securely=bool(hello.get("secure", False)),
        certificates=certificates,
        wants_certificate=wants_certificate,
        dh_bits=dh_bits,
        complete=is_done or alert is not None,
    )


def _server_hello(body: bytes) -> dict[str, int | bool]:
    reader = _Reader(body)
    version = reader.number(2)
    reader.take(RANDOM_BYTES)
    reader.vector(1)
    facts: dict[str, int | bool] = {"version": version, "suite": reader.number(2)}
    facts["compression"] = reader.number(1)
    facts["secure"] = False
    if reader.left:
        extensions = _Reader(reader.vector(2))
        while extensions.left:
            kind, _ = extensions.number(2), extensions.vector(2)
            facts["secure"] = facts["secure"] or kind == _RENEGOTIATION_INFO
    return facts


def _certificates(body: bytes) -> tuple[bytes, ...]:
    reader = _Reader(_Reader(body).vector(3))
    found: list[bytes] = []
    while reader.left and len(found) < MAX_CERTIFICATES:
        found.append(reader.vector(3))
    return tuple(found)


def _uses_dh(suite: int) -> bool:
    return suite_name(suite).startswith(("DHE-", "ADH-", "EDH-", "EXP-EDH-", "EXP-ADH-"))
