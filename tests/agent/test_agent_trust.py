"""Whom the agent believes to be its server: every kind of trust against every kind of certificate.

Refused servers see the device's hello and nothing of what it has to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from agent_rig import Agent, ScriptedServer, Site, good, server_context, site_in
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from seawall.model.device import Trust
from seawall.pki.authority import (
    Authority,
    IssuedCertificate,
    create_issuing,
    create_root,
    server_names,
)
from seawall.pki.profiles import CertificateProfile

pytestmark = pytest.mark.system

NAMES = ("127.0.0.1", "localhost")
CA, PIN, BOTH = Trust.CA, Trust.PIN, Trust.CA_AND_PIN
ALL = (CA, PIN, BOTH)
NONE: tuple[Trust, ...] = ()


@dataclass(frozen=True)
class Offer:
    """What a server shows.

    Attributes:
        accepted: By which kinds of trust.
        pinned: Whether the device's first pin is that of the leaf; else it has the genuine two.
    """

    accepted: tuple[Trust, ...]
    pinned: bool = False


# What is forgiven with a pin alone: issuer, name and date. The pin names one very certificate.
OFFERS = {
    "current": Offer(ALL),
    "next": Offer(ALL),
    "another-of-the-same-ca": Offer((CA,)),
    "unknown-ca": Offer(NONE),
    "unknown-ca-pinned": Offer((PIN,), pinned=True),
    "self-signed-pinned": Offer((PIN,), pinned=True),
    "self-signed": Offer(NONE),
    "wrong-name": Offer(NONE),
    "wrong-name-pinned": Offer((PIN,), pinned=True),
    "expired": Offer(NONE),
    "expired-pinned": Offer((PIN,), pinned=True),
    "not-yet-valid": Offer(NONE),
    "for-clients": Offer(NONE),
    "genuine-leaf-as-issuer": Offer(NONE),
}
CASES = [(name, trust) for name in OFFERS for trust in ALL]


class Certificates:
    """Writes PEM files, key and chain, for each offer."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._folder = folder
        self._keystore = site.installation.keystore
        self._ours = self._keystore.authority()
        now = datetime.now(UTC)
        self._theirs = create_issuing(create_root(now), now)

    def offer(self, name: str) -> tuple[Path, str | None]:
        """Return the file, and the leaf's pin if it is one of our making."""
        kind = name.removesuffix("-pinned")
        if kind in ("current", "next"):
            crt = self._keystore.server_paths().certificate
            directory = crt.parent
            key, crt = (directory / f"{kind}.{end}.pem" for end in ("key", "crt"))
            return self._write(name, key.read_bytes() + crt.read_bytes()), None
        if kind == "self-signed":
            return self._self_signed(name)
        authority, issued = self._issue(kind)
        chain = [authority.certificate.public_bytes(Encoding.PEM)]
        if kind == "genuine-leaf-as-issuer":
            # Pins are public, and so is the leaf: it must count in its own place alone.
            chain.insert(0, self._keystore.server_certificate().public_bytes(Encoding.PEM))
        pem = issued.key_pem + issued.cert_pem + b"".join(chain)
        return self._write(name, pem), issued.sha256

    def _issue(self, kind: str) -> tuple[Authority, IssuedCertificate]:
        now = datetime.now(UTC)
        year = timedelta(days=365)
        if kind in ("unknown-ca", "genuine-leaf-as-issuer"):
            return self._theirs, self._theirs.issue_server(NAMES, now)
        if kind == "wrong-name":
            return self._ours, self._ours.issue_server(("elsewhere.example",), now)
        if kind == "expired":
            profile = CertificateProfile(timedelta(minutes=-10), is_server=True)
            return self._ours, self._ours.issue_server(NAMES, now, profile)
        if kind == "not-yet-valid":
            return self._ours, self._ours.issue_server(NAMES, now + year)
        if kind == "for-clients":
            profile = CertificateProfile(year, is_server=False)
            return self._ours, self._ours.issue_server(NAMES, now, profile)
        return self._ours, self._ours.issue_server(NAMES, now)

    def _self_signed(self, name: str) -> tuple[Path, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(server_names(NAMES)), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._write(name, pem + certificate.public_bytes(Encoding.PEM))
        return path, certificate.fingerprint(hashes.SHA256()).hex()

    def _write(self, name: str, pem: bytes) -> Path:
        path = self._folder / f"{name}.pem"
        path.write_bytes(pem)
        return path


Meeting = tuple[Agent, ScriptedServer]


@pytest.fixture(scope="module")
def meetings(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[str, Trust], Meeting]]:
    """Every device with its server, all at once: most of the time is spent waiting."""
    folder = tmp_path_factory.mktemp("trust")
    with site_in(folder / "site") as site:
        certificates = Certificates(site, folder)
        found = {}
        for name, offer in OFFERS.items():
            file, pin = certificates.offer(name)
            for trust in ALL:
                server = ScriptedServer(server_context(site.installation, file), good)
                device_id = f"{name}-{trust.value.replace('+', '-')}"
                agent = site.agent(device_id, port=server.port, trust=trust, interval_ms=1000)
                if offer.pinned and pin and trust is not CA:
                    agent.configure(trust={"pins": [pin]})
                agent.start()
                found[name, trust] = agent, server
        yield found
        for _, server in found.values():
            server.close()


@pytest.mark.parametrize(("name", "trust"), CASES, ids=[f"{n}-{t.value}" for n, t in CASES])
def test_only_the_right_server_hears_anything(
    name: str, trust: Trust, meetings: dict[tuple[str, Trust], Meeting]
) -> None:
    agent, server = meetings[name, trust]
    if trust in OFFERS[name].accepted:
        agent.wait_stored(1)
        assert not agent.lines("refused")
    else:
        agent.wait_line("refused server certificate", timeout_s=8)
        agent.wait(lambda: server.connections[0].is_over, what="the end of the connection")
        assert not agent.lines("connected") or "not connected" in agent.lines("connected")[0]
        for connection in server.connections:
            assert connection.received == b""
            assert not connection.is_over or isinstance(connection.failure, OSError)
    agent.assert_sane()
    # One thing, said in one line.
    assert all(len(line) < 160 for line in agent.lines())


def test_a_refused_server_is_tried_again_with_back_off(
    meetings: dict[tuple[str, Trust], Meeting],
) -> None:
    agent, server = meetings["another-of-the-same-ca", PIN]
    agent.wait(lambda: len(server.connections) > 1, what="a second attempt")
    first, second = (each.at for each in server.connections[:2])
    assert second - first > 0.9


def test_what_is_refused_is_named(meetings: dict[tuple[str, Trust], Meeting]) -> None:
    for name, words in (
        ("unknown-ca", ("not correctly signed by the trusted CA", "not trusted")),
        ("wrong-name", ("does not match",)),
        ("expired", ("expired",)),
    ):
        line = meetings[name, CA][0].wait_line("refused server certificate").lower()
        assert any(word.lower() in line for word in words), line
    line = meetings["another-of-the-same-ca", PIN][0].wait_line("refused server certificate")
    assert "not pinned" in line


def test_the_connection_is_encrypted_as_it_should_be(
    meetings: dict[tuple[str, Trust], Meeting],
) -> None:
    agent, server = meetings["current", BOTH]
    agent.wait_stored(1)
    tls = server.connections[0].tls
    assert tls is not None
    suite = tls.cipher()
    assert suite is not None
    assert tls.version() in ("TLSv1.2", "TLSv1.3")
    assert "GCM" in suite[0], suite
    certificate = tls.getpeercert()
    assert certificate is not None
    assert ("URI", f"urn:seawall:device:{agent.name}") in certificate["subjectAltName"]
