"""The TLS contexts against real peers on loopback: Python, openssl s_client and MicroPython."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seawall.pki import contexts
from seawall.pki.keystore import Keystore

pytestmark = pytest.mark.system

NOW = datetime.now(UTC)
GREETING = b"hello"


class Server:
    """Greets each client that the context takes, and closes with close_notify."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.greeted: list[str] = []
        self.refusals: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            raw.settimeout(5)
            try:
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    subject = (tls.getpeercert() or {}).get("subject", ())
                    self.greeted.append(dict(part[0] for part in subject).get("commonName", ""))
                    tls.sendall(GREETING)
                    tls.unwrap()
            except OSError as error:
                self.refusals.append(getattr(error, "reason", None) or str(error))
                raw.close()

    def close(self) -> None:
        # Wakes accept(), which closing alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


class Site:
    """An authority, two devices in files of both formats, and a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keystore = Keystore.create(folder / "pki", ("localhost", "127.0.0.1"), NOW)
        self.authority = self.keystore.authority()
        self.serials: dict[str, str] = {}
        for name in ("good", "bad"):
            issued = self.authority.issue_device(name, NOW)
            self.serials[name] = issued.serial
            (folder / f"{name}.pem").write_bytes(issued.key_pem + issued.cert_pem)
            (folder / f"{name}.key.der").write_bytes(issued.key_der)
            (folder / f"{name}.cert.der").write_bytes(issued.cert_der)
        (folder / "ca.der").write_bytes(self.keystore.root_der())
        self.server = Server(self.new_context())

    def new_context(self) -> ssl.SSLContext:
        return contexts.mqtt_server_context(self.keystore, self.keystore.crl_pem())

    def revoke(self, name: str) -> None:
        """Revoke, and put the new list into force as the broker does."""
        self.keystore.revoke(self.serials[name], NOW, self.authority)
        self.server.context = self.new_context()

    def client(self, name: str | None) -> ssl.SSLContext:
        context = contexts.client_context(self.keystore.root_path)
        if name is not None:
            context.load_cert_chain(self.folder / f"{name}.pem")
        return context

    def meet(
        self,
        context: ssl.SSLContext,
        server_name: str = "localhost",
        session: ssl.SSLSession | None = None,
    ) -> tuple[bytes, ssl.SSLSession | None, bool]:
        """Connect; return the greeting, the session and whether it was resumed."""
        raw = socket.create_connection(("127.0.0.1", self.server.port), 5)
        with context.wrap_socket(raw, server_hostname=server_name, session=session) as tls:
            data = tls.recv(len(GREETING))
            reused, session = bool(tls.session_reused), tls.session
            tls.unwrap()
            return data, session, reused


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.server.close()


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@VERSIONS
def test_a_device_gets_in_by_its_certificate(site: Site, version: ssl.TLSVersion) -> None:
    context = site.client("good")
    context.minimum_version = context.maximum_version = version
    assert site.meet(context)[0] == GREETING
    assert site.server.greeted == ["good"]


def test_the_platform_gets_in_by_its_own(site: Site) -> None:
    assert site.meet(contexts.service_client_context(site.keystore), "127.0.0.1")[0] == GREETING
    assert site.server.greeted == ["@ingest"]


@VERSIONS
def test_nobody_gets_in_without_one(site: Site, version: ssl.TLSVersion) -> None:
    context = site.client(None)
    context.minimum_version = context.maximum_version = version
    with pytest.raises(OSError, match=r"(?i)alert|closed|reset|eof"):
        site.meet(context)
    assert site.server.greeted == []


def test_nobody_gets_in_with_one_of_another_authority(site: Site, tmp_path: Path) -> None:
    other = Keystore.create(tmp_path / "other", ("localhost",), NOW)
    issued = other.authority().issue_device("good", NOW)
    (tmp_path / "good.pem").write_bytes(issued.key_pem + issued.cert_pem)
    with pytest.raises(OSError, match=r"(?i)alert|closed|reset|eof"):
        site.meet(site.client("good"))
    assert site.server.greeted == []


def test_a_server_certificate_opens_no_door(site: Site) -> None:
    context = contexts.client_context(site.keystore.root_path)
    context.load_cert_chain(*site.keystore.server_paths())
    with pytest.raises(OSError, match=r"(?i)alert|closed|reset|eof"):
        site.meet(context)
    assert site.server.greeted == []


@VERSIONS
def test_a_revocation_is_in_force_with_the_new_list(site: Site, version: ssl.TLSVersion) -> None:
    context = site.client("bad")
    context.minimum_version = context.maximum_version = version
    greeting, session, _ = site.meet(context)
    assert greeting == GREETING
    site.revoke("bad")
    # Not by the session of before either, which TLS would not judge again.
    for kept in (None, session):
        with pytest.raises(OSError, match=r"(?i)revoked|closed|reset|eof"):
            site.meet(context, session=kept)
    assert site.meet(site.client("good"))[0] == GREETING
    assert site.server.greeted == ["bad", "good"]


def test_the_newer_of_two_lists_wins(site: Site) -> None:
    """OpenSSL takes the later one in whole seconds: here both are of the same."""
    before = site.keystore.crl_pem()
    site.keystore.revoke(site.serials["bad"], NOW, site.authority)
    site.server.context = contexts.mqtt_server_context(
        site.keystore, before + site.keystore.crl_pem()
    )
    with pytest.raises(OSError, match=r"(?i)revoked|closed|reset|eof"):
        site.meet(site.client("bad"))
    assert site.server.greeted == []


def test_tls_1_3_resumes_nothing(site: Site) -> None:
    context = site.client("good")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _, session, _ = site.meet(context)
    assert session is not None
    assert not session.has_ticket
    greeting, _, reused = site.meet(context, session=session)
    assert greeting == GREETING
    assert not reused


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1_1",),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"),
    ],
    ids=" ".join,
)
def test_old_tls_is_refused(
    site: Site, program: Callable[[str], str], options: tuple[str, ...]
) -> None:
    pem = str(site.folder / "good.pem")
    done = subprocess.run(
        [
            *(program("openssl"), "s_client", "-connect", f"127.0.0.1:{site.server.port}"),
            *("-cert", pem, "-key", pem, *options),
            # Or this client would not even offer it.
            *(("-cipher", "DEFAULT@SECLEVEL=0") if options == ("-tls1_1",) else ()),
        ],
        input=b"",
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert b"alert" in done.stderr
    assert site.server.greeted == []


MICROPYTHON_CLIENT = """
import socket, sys, tls
port, name, folder, who = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
c = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
def read(n):
    with open(folder + "/" + n, "rb") as f: return f.read()
c.load_cert_chain(read(who + ".cert.der"), read(who + ".key.der"))
c.load_verify_locations(read("ca.der"))
assert c.verify_mode == tls.CERT_REQUIRED
s = socket.socket()
s.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
s = c.wrap_socket(s, server_hostname=name)
print(s.read(5))
"""


def _micropython(site: Site, program: Callable[[str], str], who: str, name: str) -> str:
    script = site.folder / "client.py"
    script.write_text(MICROPYTHON_CLIENT)
    done = subprocess.run(
        [
            *(program("micropython"), "-X", "heapsize=64k", str(script)),
            *(str(site.server.port), name, str(site.folder), who),
        ],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_micropython_gets_in_and_checks_the_name(
    site: Site, program: Callable[[str], str], name: str
) -> None:
    assert "b'hello'" in _micropython(site, program, "good", name)
    assert site.server.greeted == ["good"]


def test_micropython_refuses_another_name(site: Site, program: Callable[[str], str]) -> None:
    said = _micropython(site, program, "good", "elsewhere.example")
    assert "hello" not in said
    assert "OSError" in said or "ValueError" in said
    assert site.server.greeted == []


def test_micropython_refuses_another_authority(
    site: Site, program: Callable[[str], str], tmp_path: Path
) -> None:
    other = Keystore.create(tmp_path / "other", ("localhost",), NOW)
    (site.folder / "ca.der").write_bytes(other.root_der())
    assert "hello" not in _micropython(site, program, "good", "localhost")
    assert site.server.greeted == []


def test_micropython_is_refused_with_a_revoked_certificate(
    site: Site, program: Callable[[str], str]
) -> None:
    site.revoke("bad")
    assert "hello" not in _micropython(site, program, "bad", "localhost")
    assert site.server.greeted == []
    assert len(site.server.refusals) == 1
    assert "verify_failed" in site.server.refusals[0].lower()


def test_browsers_get_the_web_context_without_a_certificate(site: Site) -> None:
    server = Server(contexts.web_server_context(site.keystore))
    raw = socket.create_connection(("127.0.0.1", server.port), 5)
    with site.client(None).wrap_socket(raw, server_hostname="localhost") as tls:
        assert tls.version() == "TLSv1.3"
    server.close()
