"""Shows the certificate authority: what devices and people are to trust, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seawall.operations.installation import Installation
from seawall.pki.pins import fingerprint_text


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate: its name, fingerprint as openssl prints it, and life (UTC)."""

    subject: str
    fingerprint: str
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class AuthorityFacts:
    """The authority of an installation.

    Attributes:
        root: What devices trust.
        issuing: What signs.
        server: What devices meet.
        server_names: DNS names and addresses in it.
        server_pins: SHA-256 of the current and the next one, lower-case hex.
        is_encrypted: Whether the issuing key needs a passphrase.
        revoked: How many certificates are revoked.
        revocation_list_ends: Until when the list is good (UTC).
        root_pem: The root certificate.
    """

    root: CertificateFacts
    issuing: CertificateFacts
    server: CertificateFacts
    server_names: tuple[str, ...]
    server_pins: tuple[str, ...]
    is_encrypted: bool
    revoked: int
    revocation_list_ends: datetime
    root_pem: str


def show_authority(installation: Installation) -> AuthorityFacts:
    """Return what is public of the authority.

    Raises:
        KeyAccessError: a certificate cannot be read.
        StateError: the register of revocations is damaged.
    """
    keystore = installation.keystore
    root = keystore.root_certificate()
    return AuthorityFacts(
        root=_facts(root),
        issuing=_facts(keystore.issuing_certificate()),
        server=_facts(keystore.server_certificate()),
        server_names=tuple(sorted(keystore.server_names())),
        server_pins=keystore.server_pins(),
        is_encrypted=keystore.needs_passphrase,
        revoked=len(keystore.revoked().revoked),
        revocation_list_ends=keystore.crl_ends(),
        root_pem=root.public_bytes(serialization.Encoding.PEM).decode(),
    )


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        fingerprint=fingerprint_text(certificate.public_bytes(serialization.Encoding.DER)),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )
