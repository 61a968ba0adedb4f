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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.serialization import Encoding
from pymongo import MongoClient

from seawall.pki.authority import create_issuing, create_root

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
    """Write a CA, and keys and certificates of ``localhost`` and a client from it."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    authority = create_issuing(create_root(now), now)
    server = authority.issue_server(["localhost", "127.0.0.1"], now)
    client = authority.issue_device("importer", now)
    files = TlsFiles(*(folder / f"{name}.pem" for name in ("ca", "server", "server.key", "client")))
    chain = (authority.certificate, authority.root)
    files.ca.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in chain))
    files.certificate.write_bytes(server.cert_pem)
    files.key.write_bytes(server.key_pem)
    files.client.write_bytes(client.cert_pem + client.key_pem)
    return files
