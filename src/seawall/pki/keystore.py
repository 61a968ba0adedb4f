"""The folder ``pki/`` of a state directory: keys, certificates, secrets."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from seawall.errors import ConflictError, KeyAccessError, NotFoundError, StateError
from seawall.model.ids import check_device_id
from seawall.pki import files, revocation
from seawall.pki.authority import Authority, IssuedCertificate
from seawall.pki.certificates import load_certificate
from seawall.pki.creation import DIRECTORIES, fill_keystore
from seawall.pki.keys import load_key
from seawall.pki.pins import certificate_sha256
from seawall.pki.secrets import MASTER_KEY_BYTES

_SECRETS: Final = (
    "issuing.key.pem",
    "master.key",
    "server/current.key.pem",
    "server/next.key.pem",
    "web/current.key.pem",
    "service/ingest.key.pem",
)
# root.key.pem is not among them: its owner may have taken it to a safe.
_PUBLIC: Final = (
    "root.crt.pem",
    "root.crt.der",
    "issuing.crt.pem",
    "ca-chain.pem",
    "crl.pem",
    "revoked.json",
    "server/current.crt.pem",
    "server/next.crt.pem",
    "web/current.crt.pem",
    "service/ingest.crt.pem",
)


@dataclass(frozen=True, slots=True)
class CertificatePaths:
    """Where a certificate (with its chain) and its private key stand, both PEM."""

    certificate: Path
    key: Path

    def __iter__(self) -> Iterator[Path]:
        """Yield certificate, key: ``context.load_cert_chain(*paths)``."""
        return iter((self.certificate, self.key))


class Keystore:
    """An existing ``pki/`` folder. Make one by `create` or `open`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls, path: Path, names: Sequence[str], now: datetime, passphrase: bytes | None = None
    ) -> Keystore:
        """Make everything new; the folder appears complete or not at all.

        Args:
            path: The folder, which must not exist.
            names: DNS names and IP addresses for the server's certificates.
            now: The time, aware.
            passphrase: Encrypts the keys of root and issuing authority.

        Raises:
            ConflictError: the folder exists.
            StateError: it cannot be written (StoreFullError: the disk is full).
            InvalidNameError: a name is neither a DNS name nor an address.
        """
        if path.exists():
            raise ConflictError(
                f"{path} exists already",
                reference="state-exists",
                hint="nothing was changed; name another directory with --state DIR",
            )
        try:
            with files.new_directory(path) as directory:
                fill_keystore(directory, names, now, passphrase)
        except OSError as error:
            raise files.unwritable(path, error) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Keystore:
        """Open a folder, after checking that it is complete and private.

        Raises:
            StateError: it is missing (``state-missing``) or half made (``state-half-made``).
            KeyAccessError: others may reach it (``key-mode``).
        """
        if not path.is_dir():
            raise _missing(path)
        files.check_private_directory(path)
        try:
            absent = [
                name for name in (*_SECRETS, *_PUBLIC, *DIRECTORIES) if not (path / name).exists()
            ]
        except OSError as error:
            raise files.unreadable(Path(error.filename or path), error) from error
        if absent:
            raise StateError(
                f"{path} is half made: {', '.join(absent)} missing",
                reference="state-half-made",
                hint="restore the missing files from a backup; if this installation never worked, "
                f"remove it and make it anew: rm -r '{path.parent}' && "
                f"seawall init --state '{path.parent}'",
            )
        for name in DIRECTORIES:
            files.check_private_directory(path / name)
        for name in _SECRETS:
            files.check_private_file(path / name)
        if (path / "root.key.pem").exists():
            files.check_private_file(path / "root.key.pem")
        return cls(path)

    # What it holds

    @property
    def ca_chain_path(self) -> Path:
        """Issuing and root certificate, PEM: whom the server trusts to name devices."""
        return self.path / "ca-chain.pem"

    @property
    def root_path(self) -> Path:
        """The root certificate, PEM: what clients trust."""
        return self.path / "root.crt.pem"

    @property
    def crl_path(self) -> Path:
        """The certificate revocation list, PEM."""
        return self.path / "crl.pem"

    def crl_pem(self) -> bytes:
        """Return the certificate revocation list."""
        return self.crl_path.read_bytes()

    def root_der(self) -> bytes:
        """Return the root certificate, as devices carry it."""
        return (self.path / "root.crt.der").read_bytes()

    def root_certificate(self) -> x509.Certificate:
        """Return the root certificate."""
        return load_certificate(self.root_path)

    def issuing_certificate(self) -> x509.Certificate:
        """Return the issuing certificate."""
        return load_certificate(self.path / "issuing.crt.pem")

    def server_certificate(self) -> x509.Certificate:
        """Return the certificate that devices meet."""
        return load_certificate(self.server_paths().certificate)

    def server_paths(self) -> CertificatePaths:
        """Certificate (leaf and issuing) and key of the MQTT endpoint."""
        return self._pair("server/current")

    def web_paths(self) -> CertificatePaths:
        """Certificate (leaf and issuing) and key of the web server."""
        return self._pair("web/current")

    def service_paths(self) -> CertificatePaths:
        """Certificate and key of the platform's own MQTT client."""
        return self._pair("service/ingest")

    def server_pins(self) -> tuple[str, ...]:
        """Return the pins that devices are given: of the current and of the next certificate."""
        return tuple(
            certificate_sha256(
                load_certificate(self._pair(f"server/{name}").certificate).public_bytes(
                    serialization.Encoding.DER
                )
            )
            for name in ("current", "next")
        )

    def server_names(self) -> frozenset[str]:
        """Return the DNS names and IP addresses in the MQTT endpoint's certificate."""
        certificate = self.server_certificate()
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return frozenset(
            {*names.get_values_for_type(x509.DNSName)}
            | {str(address) for address in names.get_values_for_type(x509.IPAddress)}
        )

    def master_key(self) -> bytes:
        """Return the secret that device keys are derived from, 32 bytes.

        Raises:
            KeyAccessError: it cannot be read, or has another length.
        """
        secret = files.read_private(self.path / "master.key")
        if len(secret) != MASTER_KEY_BYTES:
            raise KeyAccessError(
                f"{self.path / 'master.key'} has {len(secret)} bytes instead of {MASTER_KEY_BYTES}",
                reference="key-damaged",
                hint="restore it from a backup; without it no device's signature verifies",
            )
        return secret

    @property
    def needs_passphrase(self) -> bool:
        """Whether the issuing key is encrypted."""
        return b"ENCRYPTED" in files.read_private(self.path / "issuing.key.pem")

    def authority(self, passphrase: bytes | None = None) -> Authority:
        """Return the issuing authority, ready to sign.

        Raises:
            KeyAccessError: the passphrase is missing (``passphrase-needed``) or wrong
                (``wrong-passphrase``), the key cannot be read (``key-unreadable``,
                ``key-missing``, ``key-mode``), is damaged (``key-damaged``) or is not
                that of the certificate (``key-mismatch``).
        """
        path = self.path / "issuing.key.pem"
        key = load_key(path, passphrase)
        certificate = self.issuing_certificate()
        if key.public_key() != certificate.public_key():
            raise KeyAccessError(
                f"{path} is not the key of issuing.crt.pem",
                reference="key-mismatch",
                hint="restore both from the same backup",
            )
        return Authority(key, certificate, self.root_certificate())

    # Devices

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep other processes from changing the keystore meanwhile; waits for its turn.

        Raises:
            StateError: the keystore cannot be written (StoreFullError: the disk is full).
        """
        path = self.path / ".lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise files.unwritable(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def save_device(self, device_id: str, issued: IssuedCertificate) -> None:
        """Keep a device's key and certificate, in place of those it had.

        Raises:
            StateError: they cannot be written (StoreFullError: the disk is full).
        """
        directory = self._device_directory(device_id)
        # What stands there is of a device that never got into the registry, or
        # is being replaced: the caller holds `exclusive`.
        try:
            files.remove_tree(directory)
            with files.new_directory(directory) as temporary:
                files.write_private(temporary / "key.der", issued.key_der)
                files.write_private(temporary / "cert.der", issued.cert_der)
        except OSError as error:
            raise files.unwritable(directory, error) from error

    def device_key_der(self, device_id: str) -> bytes:
        """Return a device's private key, PKCS#8 DER.

        Raises:
            NotFoundError: there is none.
            KeyAccessError: it cannot be read, or others may read it.
        """
        path = self._device_directory(device_id) / "key.der"
        if not path.exists():
            raise _no_device_key(device_id)
        return files.read_private(path)

    def device_cert_der(self, device_id: str) -> bytes:
        """Return a device's certificate, DER.

        Raises:
            NotFoundError: there is none.
        """
        try:
            return (self._device_directory(device_id) / "cert.der").read_bytes()
        except FileNotFoundError:
            raise _no_device_key(device_id) from None

    # Revocation

    def revoked(self) -> revocation.RevocationRegister:
        """Return what has been revoked.

        Raises:
            StateError: the register cannot be read.
        """
        return revocation.read_register(self.path / "revoked.json")

    def revoke(self, serial: str, now: datetime, authority: Authority) -> None:
        """Put a certificate on the revocation list; again is no error.

        The register is written first and the list is made from it, so that after
        a crash in between the next call, or `renew_crl`, completes the list.

        Args:
            serial: Lower-case hex.
            now: The time.
            authority: Signs the list.

        Raises:
            StateError: it cannot be written (StoreFullError: the disk is full).
        """
        with self.exclusive():
            register = self.revoked().with_serial(serial, int(now.timestamp() * 1000))
            self._publish(register, now, authority)

    def renew_crl(self, now: datetime, authority: Authority) -> None:
        """Write the revocation list anew, with a later end."""
        with self.exclusive():
            self._publish(self.revoked(), now, authority)

    def is_listed(self, serial: str) -> bool:
        """Tell whether a certificate stands on the revocation list as it is written."""
        crl = x509.load_pem_x509_crl(self.crl_pem())
        return crl.get_revoked_certificate_by_serial_number(int(serial, 16)) is not None

    def crl_serials(self) -> frozenset[str]:
        """Return the serial numbers on the revocation list as it is written, lower-case hex."""
        crl = x509.load_pem_x509_crl(self.crl_pem())
        return frozenset(format(entry.serial_number, "x") for entry in crl)

    def crl_ends(self) -> datetime:
        """Return when the revocation list ends: no device can connect after that."""
        end = x509.load_pem_x509_crl(self.crl_pem()).next_update_utc
        # RFC 5280, section 5.1.2.5, demands one, and we always write one.
        return end if end is not None else datetime.min.replace(tzinfo=UTC)

    def _publish(
        self, register: revocation.RevocationRegister, now: datetime, authority: Authority
    ) -> None:
        register = register.with_next_number()
        crl = authority.build_crl(register.revoked, now, number=register.number)
        try:
            files.write_private(self.path / "revoked.json", revocation.render_register(register))
            files.write_private(self.crl_path, crl)
        except OSError as error:
            raise files.unwritable(self.crl_path, error) from error

    def _pair(self, stem: str) -> CertificatePaths:
        return CertificatePaths(self.path / f"{stem}.crt.pem", self.path / f"{stem}.key.pem")

    def _device_directory(self, device_id: str) -> Path:
        return self.path / "devices" / check_device_id(device_id)


def _missing(path: Path) -> StateError:
    leftovers = sorted(path.parent.glob(f"{files.unfinished_prefix(path)}*"))
    if leftovers:
        return StateError(
            f"{path.parent} is half made: its creation was interrupted, '{path.name}' is missing",
            reference="state-half-made",
            hint=f"remove it and make it anew: rm -r '{path.parent}' && "
            f"seawall init --state '{path.parent}'",
        )
    return StateError(
        f"{path.parent} is no Seawall installation: '{path.name}' is missing",
        reference="state-missing",
        hint="make one with 'seawall init', or name another with --state DIR",
    )


def _no_device_key(device_id: str) -> NotFoundError:
    return NotFoundError(
        f"there is no key for device {device_id} in the keystore",
        hint="'seawall device list' names the devices",
    )
