"""Certificates: read from files, turned to PEM, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seawall.errors import KeyAccessError
from seawall.pki.pins import fingerprint_text


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """A certificate: its name, fingerprint as openssl prints it, life (UTC) and PEM."""

    subject: str
    fingerprint: str
    not_before: datetime
    not_after: datetime
    pem: str


def certificate_facts(certificate: x509.Certificate) -> CertificateFacts:
    """Return what people ask of a certificate."""
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        fingerprint=fingerprint_text(certificate.public_bytes(serialization.Encoding.DER)),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        pem=certificate.public_bytes(serialization.Encoding.PEM).decode(),
    )


def certificate_pem(der: bytes) -> bytes:
    """Return a certificate as PEM."""
    return x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)


def load_certificate(path: Path) -> x509.Certificate:
    """Read a certificate, the first of its file.

    Raises:
        KeyAccessError: it is missing, or no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        raise KeyAccessError(f"{path} is missing", reference="key-missing") from None
    except (OSError, ValueError) as error:
        raise KeyAccessError(
            f"{path} is no readable certificate: {error}", reference="key-damaged"
        ) from error
