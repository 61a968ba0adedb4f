"""Fingerprints of certificates, in the two forms in use."""

from __future__ import annotations

import hashlib


def certificate_sha256(der: bytes) -> str:
    """Return the pin of a certificate: the SHA-256 of its DER, lower-case hex."""
    return hashlib.sha256(der).hexdigest()


def fingerprint_text(der: bytes) -> str:
    """Return the same as ``openssl x509 -fingerprint -sha256`` prints it: ``AB:CD:...``."""
    return hashlib.sha256(der).digest().hex(":").upper()
