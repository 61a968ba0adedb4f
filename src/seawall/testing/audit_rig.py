"""Weak, sound and hostile servers to audit, and an audit of one target.

Each server has a thread and a loop of its own and takes a free port of 127.0.0.1::

    with serving(sound_tls(certificate)) as port:
        results = audit(Target(TargetKind.TLS, "t", "127.0.0.1", port), "tls.")
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import warnings
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from seawall.audit.catalogue import find_checks
from seawall.audit.check import Limits
from seawall.audit.runner import Outcome, Terms, audit_target
from seawall.audit.target import Target
from seawall.model.finding import Result

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HOST: Final = "127.0.0.1"
START_S: Final = 10.0


@dataclass(frozen=True)
class Audited:
    """What an audit of one target brought.

    Attributes:
        by_check: Results of each check.
        faults: Internal errors: there should be none.
        seconds: How long it took.
    """

    by_check: dict[str, list[Result]]
    faults: list[str]
    seconds: float


def audit(target: Target, *prefixes: str, limits: Limits | None = None) -> Audited:
    """Run the checks whose ids begin with one of these on a target."""
    checks = [check for check in find_checks() if check.id.startswith(prefixes)]
    outcome = Outcome()
    terms = Terms(limits or Limits(nonce="n0nce"), datetime.now(UTC))

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await audit_target(target, checks, terms, outcome)
        return loop.time() - began_s

    seconds = asyncio.run(run())
    return Audited(outcome.by_check, outcome.faults, seconds)


class Counting:
    """Counts the connections that a server took."""

    def __init__(self) -> None:
        self.connections = 0


class _Serving:
    """A server in a thread with a loop of its own."""

    def __init__(
        self, handler: Handler, context: ssl.SSLContext | None, counting: Counting | None
    ) -> None:
        self._handler = handler
        self._context = context
        self._counting = counting
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # strangers break off all the time
        self._ready = threading.Event()
        self._tasks: set[asyncio.Future[None]] = set()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.port = 0

    def start(self) -> None:
        self._thread.start()
        if not self._ready.wait(START_S):
            raise RuntimeError("a server of the tests did not start")

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_S)

    def _work(self) -> None:
        server = self._loop.run_until_complete(self._listen())
        self._loop.run_forever()
        self._loop.run_until_complete(self._end(server))
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._answer, HOST, 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        return server

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._counting:
            self._counting.connections += 1
        task = asyncio.ensure_future(self._handler(reader, writer))
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await task
        writer.transport.abort()
        self._tasks.discard(task)

    async def _end(self, server: asyncio.Server) -> None:
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)


@contextmanager
def serving(
    handler: Handler, context: ssl.SSLContext | None = None, counting: Counting | None = None
) -> Iterator[int]:
    """Serve on a free port, which is what it yields."""
    server = _Serving(handler, context, counting)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


async def read_until_end(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """A handler that listens and says nothing."""
    while await reader.read(4096):
        pass


async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send a piece again and again until the other side ends."""
    # By what is read: in Python 3.11.2 writing to an ended TLS connection raises nothing.
    ended = asyncio.ensure_future(read_until_end(reader, writer))
    try:
        while not ended.done():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        ended.cancel()


# Certificates


@dataclass(frozen=True)
class Pair:
    """A certificate and its key.

    Attributes:
        certificate: As an object.
        key: As an object.
        path: PEM file with key and certificate.
        ca_path: PEM file of who signed it.
    """

    certificate: x509.Certificate
    key: Any
    path: Path
    ca_path: Path


def mint(
    folder: Path,
    *,
    names: tuple[str, ...] = (HOST, "localhost"),
    issuer: Pair | None = None,
    key: Any = None,
    begins: timedelta = timedelta(days=-1),
    lasts: timedelta = timedelta(days=365),
    file: str = "server.pem",
) -> Pair:
    """Make a certificate, signed by an issuer or by itself.

    Args:
        folder: Where the files go.
        names: DNS names and addresses; none: a common name alone.
        issuer: Who signs.
        key: Of the certificate; P-256 if None.
        begins: From now.
        lasts: From its begin.
        file: Its name.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "none")])
    not_before = datetime.now(UTC) + begins
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_before + lasts)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    path = folder / file
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        + pem
    )
    certificate_path = folder / f"{file}.crt"
    certificate_path.write_bytes(pem)
    return Pair(certificate, key, path, issuer.ca_path if issuer else certificate_path)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    """Make an RSA key; weak ones too (512 bits are beyond what the library still makes)."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def server_context(
    pair: Pair,
    *,
    ciphers: str = "ECDHE+AESGCM:ECDHE+CHACHA20",
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    client_ca: Path | None = None,
) -> ssl.SSLContext:
    """Return a server's context, sound unless told otherwise."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = oldest
        context.maximum_version = newest
    context.load_cert_chain(pair.path)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context
