"""`seawall.create_tls_client` against a TLS server that notes what it is sent."""

import contextlib
import datetime
import socket
import ssl
import subprocess
import threading

import pytest

import seawall
from seawall.errors import KeyAccessError, UsageError
from seawall.pki.contexts import mqtt_server_context
from seawall.pki.keystore import Keystore

pytestmark = pytest.mark.system

CONNACK = b"\x20\x02\x00\x00"


class Server:
    """Accepts TLS, notes the first bytes of each client, answers CONNECT."""

    def __init__(self, context):
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.received = []
        self.done = threading.Semaphore(0)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            data = b""
            with contextlib.suppress(OSError), connection:
                connection.settimeout(10)
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    data = tls.recv(1000)
                    tls.sendall(CONNACK)
                    tls.recv(1000)
            self.received.append(data)
            self.done.release()

    def close(self):
        self._listener.close()


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    now = datetime.datetime.now(datetime.UTC)
    keystore = Keystore.create(folder / "pki", ["localhost"], now, None)
    issued = keystore.authority(None).issue_device("pump-1", now)
    files = {"ca_file": folder / "ca.pem", "cert_file": folder / "c.pem", "key_file": folder / "k"}
    files["ca_file"].write_bytes(keystore.root_path.read_bytes())
    files["cert_file"].write_bytes(issued.cert_pem)
    files["key_file"].write_bytes(issued.key_pem)
    return keystore, files


@pytest.fixture
def server(installation):
    keystore, _ = installation
    running = Server(mqtt_server_context(keystore, keystore.crl_pem()))
    yield running
    running.close()


def connect(server, files, host="localhost", **options):
    client = seawall.create_tls_client("pump-1", **files, **options)
    client.connect(host, server.port)
    client.disconnect()
    client.loop_forever()


def fingerprint(keystore):
    """What openssl prints, colons and capitals as they are."""
    certificate, _ = keystore.server_paths()
    show = ["openssl", "x509", "-fingerprint", "-sha256", "-noout", "-in", certificate]
    printed = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    return printed.strip().split("=")[1]


def test_connects_with_and_without_a_pin(installation, server):
    keystore, files = installation
    pin = fingerprint(keystore)
    for pins in ((), (pin,), ("0" * 64, pin.replace(":", "").lower()), pin):
        connect(server, files, pins=pins)
        assert server.done.acquire(timeout=10)
        assert server.received[-1].startswith(b"\x10")
        assert b"pump-1" in server.received[-1]


def test_another_certificate_is_sent_nothing(installation, server):
    _, files = installation
    with pytest.raises(ssl.SSLCertVerificationError, match="not pinned"):
        connect(server, files, pins=["0" * 64])
    assert server.done.acquire(timeout=10)
    assert server.received == [b""]


def test_the_host_name_is_checked(installation, server):
    _, files = installation
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        connect(server, files, host="127.0.0.1")
    assert server.done.acquire(timeout=10)
    assert server.received == [b""]


def test_another_authority_is_refused(installation, server, tmp_path):
    _, files = installation
    now = datetime.datetime.now(datetime.UTC)
    other = Keystore.create(tmp_path / "pki", ["localhost"], now, None)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(server, {**files, "ca_file": other.root_path})


def test_mistakes_are_named(installation, tmp_path):
    _, files = installation
    with pytest.raises(UsageError, match="no SHA-256 fingerprint"):
        seawall.create_tls_client("pump-1", **files, pins=["12:34"])
    with pytest.raises(KeyAccessError, match="there is no file"):
        seawall.create_tls_client("pump-1", **{**files, "key_file": tmp_path / "none"})
    with pytest.raises(KeyAccessError, match="cannot be used"):
        seawall.create_tls_client("pump-1", **{**files, "key_file": files["ca_file"]})
    encrypted = tmp_path / "encrypted.pem"
    encrypt = ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", files["key_file"]]
    subprocess.run([*encrypt, "-out", encrypted], check=True, capture_output=True)
    with pytest.raises(KeyAccessError, match="encrypted"):
        seawall.create_tls_client("pump-1", **{**files, "key_file": encrypted})
    seawall.create_tls_client("pump-1", **{**files, "key_file": encrypted}, key_password="x")
