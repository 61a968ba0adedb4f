"""A MongoDB server for tests: SecantusDB, as a process of its own.

SecantusDB is under the GPL, so nothing here imports it: it is started, and
spoken to over the wire.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymongo import MongoClient

START_TIMEOUT_S: Final = 60.0
CLIENT_SUBJECT: Final = "CN=importer"
_POLL_S: Final = 0.02
_LISTENING: Final = re.compile(r"listening on 127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of a server that was minted for one run, named ``localhost`` and 127.0.0.1.

    ``client`` holds the certificate and the key of somebody who may sign in by them.
    """

    ca: Path
    certificate: Path
    key: Path
    client: Path


@dataclass
class MongoProcess:
    """One server with data of its own.

    Args:
        folder: Gets its data and its log; remade data is found again.
        tls: What it proves itself with; None: plain TCP.
        user: Name and password that it asks for (SCRAM-SHA-256, database ``admin``). With
            ``tls`` whoever shows the certificate of ``tls.client`` is let in as well.
        alone: It says that it stands alone; else that it is a replica set of one.
    """

    folder: Path
    tls: TlsFiles | None = None
    user: tuple[str, str] | None = None
    alone: bool = True
    port: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    @property
    def uri(self) -> str:
        """Connection string with all that is needed to be let in."""
        options = []
        who = ""
        if self.user is not None:
            who = ":".join(map(quote_plus, self.user)) + "@"
            options.append("authSource=admin")
        if self.tls is not None:
            options += ["tls=true", f"tlsCAFile={quote_plus(str(self.tls.ca))}"]
        return f"mongodb://{who}{self.address}/?{'&'.join(options)}".rstrip("?")

    def start(self) -> None:
        """Start it and wait until it listens; a user is made first.

        Raises:
            RuntimeError: It ended, or did not listen in time; the message holds its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.user is not None:
            user, self.user = self.user, None
            self._launch([])
            with self.client() as client:
                roles = ["root"]
                client.admin.command("createUser", user[0], pwd=user[1], roles=roles)
                if self.tls is not None:
                    peer = [{"role": "root", "db": "admin"}]
                    client["$external"].command(
                        "createUser", CLIENT_SUBJECT, mechanisms=["MONGODB-X509"], roles=peer
                    )
            self._end(self._process)
            self.user = user
        self._launch(["--auth"] if self.user is not None else [])

    def client(self, **options: Any) -> MongoClient[dict[str, Any]]:
        """Return a client that is let in."""
        return MongoClient(self.uri, directConnection=True, tz_aware=True, **options)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """Return what it printed."""
        return (self.folder / "log").read_text(errors="replace")

    def _launch(self, more: list[str]) -> None:
        words = [sys.executable, "-m", "secantus", "--host", "127.0.0.1"]
        words += ["--standalone"] if self.alone else []
        words += ["--port", str(self.port), "--storage-path", str(self.folder / "data"), *more]
        words += ["--cache-size", "64M", "--log-level", "INFO"]
        if self.tls is not None:
            words += ["--tls-cert-file", str(self.tls.certificate)]
            words += ["--tls-key-file", str(self.tls.key), "--tls-ca-file", str(self.tls.ca)]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                words,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (found := _LISTENING.search(self.log())):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the MongoDB server for tests does not listen:\n{self.log()}")
            time.sleep(_POLL_S)
        self.port = int(found[1])

    @staticmethod
    def _end(process: subprocess.Popen[bytes] | None) -> None:
        if process is not None:
            process.terminate()
            process.wait(30)


def mint_tls_files(folder: Path) -> TlsFiles:
    """Write a CA, and keys and certificates of ``localhost`` and a client from it, for a day."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, key, client_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test run")])
    ca = (
        _certificate(ca_name, ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_KEY_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), False)
        .sign(ca_key, hashes.SHA256())
    )
    files = TlsFiles(*(folder / f"{name}.pem" for name in ("ca", "server", "server.key", "client")))
    files.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    files.certificate.write_bytes(_leaf("localhost", ca, ca_key, key))
    files.key.write_bytes(_private(key))
    files.client.write_bytes(_leaf("importer", ca, ca_key, client_key) + _private(client_key))
    return files


def _leaf(
    name: str,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(IPv4Address("127.0.0.1"))]
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    certificate = (
        _certificate(subject, ca.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


_KEY_USAGE: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
