"""Shows the certificate authority: what devices and people are to trust, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from seawall.operations.installation import Installation
from seawall.pki.certificates import CertificateFacts, certificate_facts


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
    """

    root: CertificateFacts
    issuing: CertificateFacts
    server: CertificateFacts
    server_names: tuple[str, ...]
    server_pins: tuple[str, ...]
    is_encrypted: bool
    revoked: int
    revocation_list_ends: datetime


def show_authority(installation: Installation) -> AuthorityFacts:
    """Return what is public of the authority.

    Raises:
        KeyAccessError: a certificate cannot be read.
        StateError: the register of revocations is damaged.
    """
    keystore = installation.keystore
    return AuthorityFacts(
        root=certificate_facts(keystore.root_certificate()),
        issuing=certificate_facts(keystore.issuing_certificate()),
        server=certificate_facts(keystore.server_certificate()),
        server_names=tuple(sorted(keystore.server_names())),
        server_pins=keystore.server_pins(),
        is_encrypted=keystore.needs_passphrase,
        revoked=len(keystore.revoked().revoked),
        revocation_list_ends=keystore.crl_ends(),
    )
