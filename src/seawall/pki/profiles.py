"""What kinds of certificate there are, how long each lives, and why.

All keys are P-256 (FIPS 186-5): the one curve that OpenSSL, Mbed TLS, browsers
and secure elements have in common, and quick enough for a microcontroller.

Name constraints (RFC 5280, section 4.2.1.10) are left out of the issuing
certificate: they must be critical, and Mbed TLS, which the devices use, knows
them not and refuses every chain that holds a critical extension it does not
know. The path length and the extended key usage are limited instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

BACKDATE: Final = timedelta(hours=1)
"""Certificates and lists begin this long ago: clocks of devices differ, and a
server without a battery-backed clock may be stepped back after it started."""

EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)
"""Before this no authority is made: a clock that says so was never set, and the
authority would have expired, or its devices refuse it, once the clock is right."""

ROOT_LIFETIME: Final = timedelta(days=20 * 365)
"""Devices are born with the root, and many cannot be reached by hand again."""

ISSUING_LIFETIME: Final = timedelta(days=10 * 365)
"""Half of the root's: it can be replaced once, at leisure, under the same root."""

CRL_LIFETIME: Final = timedelta(days=825)
"""An expired list shuts every device out, and its reader is the machine that
writes it, so a short life guards nothing. Whoever keeps the issuing key
offline must bring it out this often anyway, for the server's certificate."""


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """A kind of end-entity certificate.

    Attributes:
        lifetime: From now on; cut short at the end of the issuing certificate.
        is_server: Extended key usage serverAuth, else clientAuth; never both.
    """

    lifetime: timedelta
    is_server: bool


DEVICE: Final = CertificateProfile(timedelta(days=730), is_server=False)
"""Two years: a device rotates over the air; one that was lost stops by itself."""

AUDIT: Final = CertificateProfile(timedelta(minutes=15), is_server=False)
"""An identity that an audit of the own broker makes up: it outlives the audit by little."""

SERVICE: Final = CertificateProfile(timedelta(days=825), is_server=False)
"""The platform's own clients; lives on the server and is renewed with it."""

SERVER: Final = CertificateProfile(timedelta(days=825), is_server=True)
"""Apple's systems accept no server certificate of a private CA beyond 825 days."""

NEXT_SERVER: Final = CertificateProfile(timedelta(days=2 * 825), is_server=True)
"""The successor whose pin is on the devices already: it waits for one life
before it serves for one. Only devices meet it, so Apple's limit is not ours."""
