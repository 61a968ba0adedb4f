"""What a stranger's certificate says, read without trust in it.

`seawall.pki.certificates` reads our own. Here each field may be missing, doubled, of an
unknown kind, or broken: what cannot be read is left out, and no error but one leaves.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

T = TypeVar("T")

MAX_CERTIFICATE_BYTES: Final = 64 * 1024
MAX_NAMES: Final = 256
MAX_NAME_CHARACTERS: Final = 255

# What `cryptography` raises for broken DER depends on where it breaks.
_BROKEN: Final = (ValueError, TypeError, KeyError, OverflowError, UnsupportedAlgorithm)


class CertificateError(ValueError):
    """The bytes are no certificate that can be read."""


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """What a certificate says.

    Attributes:
        subject: Distinguished name, RFC 4514; empty if it has none.
        issuer: The same of who signed it.
        common_name: The first common name of the subject.
        dns_names: Of the subject alternative name, lower-case.
        addresses: The same, IP addresses in their normal form.
        not_before: Begin of its life.
        not_after: End of its life.
        key_kind: ``RSA``, ``EC``, ``Ed25519``, ``Ed448``, ``DSA``, or ``unknown``.
        key_bits: Size of the key; 0 if unknown.
        curve: Name of the curve of an ``EC`` key.
        signature_hash: ``sha256``, ``md5``; ``eddsa``; empty for what is unknown.
        is_self_signed: Its own key signed it.
    """

    subject: str
    issuer: str
    common_name: str
    dns_names: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    key_kind: str
    key_bits: int
    curve: str
    signature_hash: str
    is_self_signed: bool


def inspect(der: bytes) -> CertificateReport:
    """Return what a certificate says.

    Raises:
        CertificateError: it is too large, or no certificate with a readable life.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"larger than {MAX_CERTIFICATE_BYTES} bytes")
    try:
        with warnings.catch_warnings():
            # Serial numbers below 1 and the like: the warning is for who made it, not for us.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(der)
        not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _BROKEN as error:
        raise CertificateError(type(error).__name__) from error
    no_names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    dns_names, addresses = _read(lambda: _alternative_names(certificate), no_names)
    key_kind, key_bits, curve = _read(lambda: _key(certificate), ("unknown", 0, ""))
    return CertificateReport(
        subject=_read(lambda: _name(certificate.subject), ""),
        issuer=_read(lambda: _name(certificate.issuer), ""),
        common_name=_read(lambda: _common_name(certificate), ""),
        dns_names=dns_names,
        addresses=addresses,
        not_before=not_before.astimezone(UTC),
        not_after=not_after.astimezone(UTC),
        key_kind=key_kind,
        key_bits=key_bits,
        curve=curve,
        signature_hash=_read(lambda: _signature_hash(certificate), ""),
        is_self_signed=_read(lambda: _is_self_signed(certificate), False),
    )


def _read(field: Callable[[], T], otherwise: T) -> T:
    try:
        return field()
    except (*_BROKEN, x509.ExtensionNotFound, x509.DuplicateExtension):
        return otherwise


def _printable(text: str) -> str:
    kept = "".join(c if c.isprintable() else "?" for c in text[:MAX_NAME_CHARACTERS])
    return kept + ("…" if len(text) > MAX_NAME_CHARACTERS else "")


def _name(name: x509.Name) -> str:
    return _printable(name.rfc4514_string())


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return _printable(str(found[0].value)) if found else ""


def _alternative_names(
    certificate: x509.Certificate,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)[:MAX_NAMES]
    addresses = names.get_values_for_type(x509.IPAddress)[:MAX_NAMES]
    return tuple(_printable(each.lower()) for each in dns), tuple(map(str, addresses))


def _key(certificate: x509.Certificate) -> tuple[str, int, str]:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size, ""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size, key.curve.name
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size, ""
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256, ""
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448", 448, ""
    return "unknown", 0, ""


def _signature_hash(certificate: x509.Certificate) -> str:
    algorithm = certificate.signature_hash_algorithm
    return algorithm.name if algorithm else "eddsa"  # it hashes by itself


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    except _BROKEN:  # hashes that are no longer verified, such as MD5: by its names it is
        return True
    return True


# Names (RFC 9525)


def matches_name(report: CertificateReport, wanted: str) -> bool:
    """Tell whether a certificate is for a host, by RFC 9525 (the common name plays no part).

    Args:
        report: What the certificate says.
        wanted: A DNS name or an IP address.
    """
    try:
        return str(ip_address(wanted)) in report.addresses
    except ValueError:
        host = wanted.lower().rstrip(".")
        return any(_covers(pattern.rstrip("."), host) for pattern in report.dns_names)


def _covers(pattern: str, host: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == host
    # Section 6.3: the wildcard is the whole left-most label, and stands for exactly one.
    _, _, parent = host.partition(".")
    return bool(parent) and "." in parent and pattern[2:] == parent
