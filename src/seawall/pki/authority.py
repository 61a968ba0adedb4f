"""The certificate authority: makes certificates and revocation lists. No I/O.

Keys and serial numbers come from the operating system's generator inside
`cryptography`; the clock is an argument.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from seawall.errors import InvalidNameError, KeyAccessError
from seawall.model.ids import check_device_id
from seawall.pki import profiles
from seawall.pki.certificates import certificate_pem
from seawall.pki.keys import key_pem
from seawall.pki.pins import certificate_sha256
from seawall.pki.profiles import CertificateProfile

_CLIENT_AUTH: Final = ExtendedKeyUsageOID.CLIENT_AUTH
_SECOND: Final = timedelta(seconds=1)
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A new key with its certificate.

    Attributes:
        key_der: PKCS#8, unencrypted.
        cert_der: The certificate.
        serial: Lower-case hex without leading zeros.
        sha256: Of ``cert_der``, lower-case hex.
        not_after_ms: When it expires, UTC milliseconds.
    """

    key_der: bytes
    cert_der: bytes
    serial: str
    sha256: str
    not_after_ms: int

    @property
    def key_pem(self) -> bytes:
        """The key as PEM, unencrypted."""
        return key_pem(self.key_der)

    @property
    def cert_pem(self) -> bytes:
        """The certificate as PEM."""
        return certificate_pem(self.cert_der)


@dataclass(frozen=True, slots=True)
class RevokedCertificate:
    """An entry of the revocation list: serial (lower-case hex) and time (UTC milliseconds)."""

    serial: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An authority's private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Authority:
    """The issuing authority, which signs servers, services and devices.

    Attributes:
        key: The issuing key.
        certificate: The issuing certificate.
        root: The root certificate, which devices trust.
    """

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    root: x509.Certificate

    def issue_device(
        self,
        device_id: str,
        now: datetime,
        profile: CertificateProfile = profiles.DEVICE,
    ) -> IssuedCertificate:
        """Issue a client certificate: CN and ``urn:seawall:device:ID`` name the device.

        Raises:
            InvalidNameError: the id is not allowed.
            KeyAccessError: the clock is outside the authority's life.
        """
        check_device_id(device_id)
        uri = x509.UniformResourceIdentifier(f"urn:seawall:device:{device_id}")
        return self._issue(device_id, [uri], profile, now)

    def issue_server(
        self,
        names: Sequence[str],
        now: datetime,
        profile: CertificateProfile = profiles.SERVER,
    ) -> IssuedCertificate:
        """Issue a server certificate.

        Args:
            names: DNS names and IP addresses, at least one.
            now: The time.
            profile: Its kind.

        Raises:
            InvalidNameError: a name is neither a DNS name nor an IP address.
            KeyAccessError: the clock is outside the authority's life.
        """
        return self._issue("Seawall server", server_names(names), profile, now)

    def issue_service(self, name: str, now: datetime) -> IssuedCertificate:
        """Issue a client certificate for a part of the platform: CN ``@NAME``.

        ``@`` cannot stand in a device id, so no device can pass for a service.
        """
        uri = x509.UniformResourceIdentifier(f"urn:seawall:service:{name}")
        return self._issue(f"@{name}", [uri], profiles.SERVICE, now)

    def build_crl(
        self,
        revoked: Iterable[RevokedCertificate],
        now: datetime,
        *,
        number: int = 1,
    ) -> bytes:
        """Return a certificate revocation list, PEM (RFC 5280, section 5).

        Its ``thisUpdate`` counts seconds from the authority's beginning, one for
        each list, and not from the clock: a list signed while the clock was ahead
        would shut every device out until then, as not yet valid. Of two lists
        OpenSSL takes the one with the later ``thisUpdate``, which is so the one with
        the greater number.

        Args:
            revoked: Every revoked certificate.
            now: The time.
            number: CRL number, greater than that of every list before.

        Raises:
            KeyAccessError: the clock is outside the authority's life.
        """
        self._start(now)
        start = self.certificate.not_valid_before_utc + number * _SECOND
        end = min(now + profiles.CRL_LIFETIME, self.certificate.not_valid_after_utc)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(start)
            .next_update(end)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(_authority_key_identifier(self.certificate), critical=False)
        )
        for entry in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(entry.serial, 16))
                .revocation_date(datetime.fromtimestamp(entry.at_ms // 1000, UTC))
                .build()
            )
        crl = builder.sign(self.key, hashes.SHA256())
        return crl.public_bytes(serialization.Encoding.PEM)

    def _issue(
        self,
        common_name: str,
        names: Sequence[x509.GeneralName],
        profile: CertificateProfile,
        now: datetime,
    ) -> IssuedCertificate:
        start = self._start(now)
        end = min(now + profile.lifetime, self.certificate.not_valid_after_utc)
        usage = ExtendedKeyUsageOID.SERVER_AUTH if profile.is_server else _CLIENT_AUTH
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _certificate_builder(_common_name(common_name), key.public_key(), start, end)
            .issuer_name(self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(is_authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_authority_key_identifier(self.certificate), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        cert_der = certificate.public_bytes(serialization.Encoding.DER)
        return IssuedCertificate(
            key_der=key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            cert_der=cert_der,
            serial=serial_text(certificate),
            sha256=certificate_sha256(cert_der),
            not_after_ms=int(certificate.not_valid_after_utc.timestamp()) * 1000,
        )

    def _start(self, now: datetime) -> datetime:
        """Return the back-dated beginning of what is signed now."""
        first = self.certificate.not_valid_before_utc
        last = self.certificate.not_valid_after_utc
        if not first <= now < last:
            raise KeyAccessError(
                f"the clock says {now:%Y-%m-%d %H:%M} UTC, but the issuing certificate is valid "
                f"from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}",
                reference="clock-outside-authority",
                hint="set this machine's clock ('timedatectl' shows it) and try again",
            )
        return max((now - profiles.BACKDATE).replace(microsecond=0), first)


def create_root(now: datetime) -> KeyPair:
    """Make a root authority: it signs issuing certificates alone (path length 1).

    Raises:
        KeyAccessError: the clock was never set.
    """
    if now < profiles.EARLIEST:
        raise KeyAccessError(
            f"the clock says {now:%Y-%m-%d %H:%M} UTC, which is before Seawall was made",
            reference="clock-outside-authority",
            hint="set this machine's clock ('timedatectl' shows it) and try again",
        )
    key = ec.generate_private_key(ec.SECP256R1())
    start = (now - profiles.BACKDATE).replace(microsecond=0)
    name = _authority_name("Seawall root", key.public_key())
    certificate = (
        _certificate_builder(name, key.public_key(), start, now + profiles.ROOT_LIFETIME)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(key, certificate)


def create_issuing(root: KeyPair, now: datetime) -> Authority:
    """Make an issuing authority under a root: it signs end entities alone (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = (now - profiles.BACKDATE).replace(microsecond=0)
    end = min(now + profiles.ISSUING_LIFETIME, root.certificate.not_valid_after_utc)
    name = _authority_name("Seawall issuing", key.public_key())
    certificate = (
        _certificate_builder(name, key.public_key(), start, end)
        .issuer_name(root.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, _CLIENT_AUTH]), critical=False
        )
        .add_extension(_authority_key_identifier(root.certificate), critical=False)
        .sign(root.key, hashes.SHA256())
    )
    return Authority(key, certificate, root.certificate)


def server_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Return DNS names and IP addresses as they stand in a certificate.

    Raises:
        InvalidNameError: none is given, or one is neither.
    """
    if not names:
        raise InvalidNameError(
            "a server certificate needs at least one name", hint="give --name HOST"
        )
    return [_server_name(name) for name in dict.fromkeys(names)]


def _server_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if _DNS_NAME.match(name) is None:
        raise InvalidNameError(
            f"{name[:80]!r} is neither a DNS name nor an IP address",
            hint="a name such as iot.example.org (in its xn-- form if it is not ASCII) "
            "or an address such as 192.0.2.7",
        )
    return x509.DNSName(name.lower())


def serial_text(certificate: x509.Certificate) -> str:
    """Return a serial number as lower-case hex without leading zeros."""
    return format(certificate.serial_number, "x")


def _certificate_builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _authority_name(text: str, public_key: ec.EllipticCurvePublicKey) -> x509.Name:
    """Name an authority after its key: two installations in one trust store stay apart."""
    digest = x509.SubjectKeyIdentifier.from_public_key(public_key).digest
    return _common_name(f"{text} {digest[:4].hex()}")


def _authority_key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
