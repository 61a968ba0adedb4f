"""The devices' HTTPS endpoint for releases, met by real TLS clients and by python-tuf's."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater

from seawall.daemon.lock import read_running
from seawall.devices.lifecycle import NewDevice
from seawall.model.device import Board
from seawall.model.reading import Reason, Refusal
from seawall.operations.add_device import add_device
from seawall.operations.change_update_keys import recover_update_role
from seawall.operations.disable_device import disable_device
from seawall.operations.enable_device import enable_device
from seawall.operations.installation import Installation
from seawall.operations.revoke_device import revoke_device
from seawall.pki.certificates import certificate_pem
from seawall.pki.contexts import client_context
from seawall.pki.keys import key_pem
from seawall.testing.daemon_process import DaemonProcess, make_installation
from seawall.testing.update_repository import (
    NEW_KEYS,
    SIGNING,
    make_update_keys,
    publish_files,
)
from seawall.updates.repository import Repository, root_metadata

pytestmark = pytest.mark.system

PATIENCE_S = 20.0
BIG = bytes(range(256)) * 1000
AGENT = {"seawall_agent/__init__.mpy": b"M\x06"}


class Service:
    """A running installation with update keys, a release, and devices."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.installation: Installation = make_installation(folder / "state")
        make_update_keys(self.installation)
        self.release = publish_files(
            self.installation, "1.0", {"big.dat": BIG, "empty.txt": b""}, agent=AGENT
        )
        self.big = next(each for each in self.release.files if each.path == "big.dat")
        self.empty = next(each for each in self.release.files if each.path == "empty.txt")
        self.daemon = DaemonProcess(folder / "state", folder / "log")
        self.daemon.start()
        self.port: int = self.daemon.wait_ready()["updates_port"]

    def add(self, name: str) -> ssl.SSLContext:
        add_device(self.installation, NewDevice(name, board=Board.UNIX))
        return self.context(name)

    def context(self, name: str | None) -> ssl.SSLContext:
        keystore = self.installation.keystore
        context = client_context(keystore.root_path)
        if name is not None:
            certificate = self.folder / f"{name}.crt"
            key = self.folder / f"{name}.key"
            certificate.write_bytes(certificate_pem(keystore.device_cert_der(name)))
            key.write_bytes(key_pem(keystore.device_key_der(name)))
            context.load_cert_chain(certificate, key)
        return context

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def http(self, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context, timeout=PATIENCE_S
        )

    def wait_refusal(self, wanted: Callable[[Refusal], bool]) -> Refusal:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for _, refusal in self.installation.store.refusals():
                if wanted(refusal):
                    return refusal
            time.sleep(0.02)
        raise AssertionError([each for _, each in self.installation.store.refusals()])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(tmp_path_factory.mktemp("updates"))
    try:
        yield made
    finally:
        assert made.daemon.stop() == 0, made.daemon.log()
        made.installation.store.close()


@pytest.fixture(scope="module")
def device(service: Service) -> ssl.SSLContext:
    return service.add("reader")


@pytest.fixture
def http_of(service: Service, device: ssl.SSLContext) -> Iterator[http.client.HTTPSConnection]:
    wait_admitted(service, device)
    connection = service.http(device)
    yield connection
    connection.close()


def wait_admitted(service: Service, context: ssl.SSLContext) -> None:
    """Wait until the daemon has taken a new device in."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if _is_served(service, context):
            return
        time.sleep(0.02)
    raise AssertionError(service.daemon.log())


def _is_served(service: Service, context: ssl.SSLContext) -> bool:
    connection = service.http(context)
    try:
        connection.request("GET", "/metadata/timestamp.json")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _get(
    connection: http.client.HTTPSConnection, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, found, answer.read()


# What is served


def test_metadata_and_files_come_whole(
    service: Service, http_of: http.client.HTTPSConnection
) -> None:
    root = root_metadata(Path(service.installation.paths.updates))
    status, headers, body = _get(http_of, "/metadata/1.root.json")
    assert (status, body) == (200, root)
    assert headers["content-length"] == str(len(body))
    assert headers["content-type"] == "application/json"
    assert "transfer-encoding" not in headers
    path = f"/targets/unix/{service.release.sha256}.1.0.json"
    status, _, body = _get(http_of, path)
    assert (status, len(body)) == (200, service.release.length)
    status, headers, body = _get(http_of, f"/targets/files/{service.big.sha256}")
    assert (status, body) == (200, BIG)
    assert headers["accept-ranges"] == "bytes"
    assert _get(http_of, f"/targets/files/{service.empty.sha256}")[::2] == (200, b"")


def test_head_tells_the_length_and_sends_nothing(
    service: Service, http_of: http.client.HTTPSConnection
) -> None:
    path = f"/targets/files/{service.big.sha256}"
    for _ in range(2):  # the connection goes on
        status, headers, body = _get(http_of, path, "HEAD", Range="bytes=5-")
        assert (status, headers["content-length"], body) == (200, str(len(BIG)), b"")


@pytest.mark.parametrize(
    ("value", "status", "first", "last"),
    [
        ("bytes=0-", 206, 0, len(BIG) - 1),
        ("bytes=4096-", 206, 4096, len(BIG) - 1),
        (f"bytes={len(BIG) - 1}-", 206, len(BIG) - 1, len(BIG) - 1),
        ("bytes=100-199", 206, 100, 199),
        ("bytes=100-999999999", 206, 100, len(BIG) - 1),
        ("bytes=-100", 200, 0, len(BIG) - 1),
        ("bytes=9-3", 200, 0, len(BIG) - 1),
        ("bytes=0-1,3-4", 200, 0, len(BIG) - 1),
        ("nonsense", 200, 0, len(BIG) - 1),
    ],
)
def test_a_download_goes_on_where_it_was(
    service: Service,
    http_of: http.client.HTTPSConnection,
    value: str,
    status: int,
    first: int,
    last: int,
) -> None:
    answer = _get(http_of, f"/targets/files/{service.big.sha256}", Range=value)
    assert answer[0] == status
    assert answer[2] == BIG[first : last + 1]
    assert answer[1]["content-length"] == str(len(answer[2]))
    if status == 206:
        assert answer[1]["content-range"] == f"bytes {first}-{last}/{len(BIG)}"


def test_a_range_beyond_the_end_is_told(
    service: Service, http_of: http.client.HTTPSConnection
) -> None:
    for file, size in ((service.big, len(BIG)), (service.empty, 0)):
        status, headers, body = _get(
            http_of, f"/targets/files/{file.sha256}", Range=f"bytes={size}-"
        )
        assert (status, body, headers["content-length"]) == (416, b"", "0")
        assert headers["content-range"] == f"bytes */{size}"
    assert _get(http_of, "/metadata/timestamp.json")[0] == 200


def test_what_is_not_there_is_404_and_no_offence(
    service: Service, http_of: http.client.HTTPSConnection
) -> None:
    before = sum(service.installation.store.refusal_counts().values())
    for path in ("/metadata/999.root.json", "/targets/files/" + "0" * 64):
        assert _get(http_of, path)[::2] == (404, b"")
    time.sleep(0.1)
    assert sum(service.installation.store.refusal_counts().values()) == before


# What is refused


@pytest.mark.parametrize(
    "path",
    [
        "/keys/keys.json",
        "/metadata/../keys/keys.json",
        "/metadata/%2e%2e/keys/keys.json",
        "//etc/passwd",
        "/targets/files/../../../pki/master.key",
        "/",
    ],
)
def test_paths_lead_nowhere_else(
    service: Service, http_of: http.client.HTTPSConnection, path: str
) -> None:
    assert _get(http_of, path)[::2] == (404, b"")
    refusal = service.wait_refusal(lambda each: repr(path) in each.detail)
    assert (refusal.reason, refusal.device_id) == (Reason.MALFORMED, "reader")


def test_links_in_the_repository_are_not_followed(
    service: Service, http_of: http.client.HTTPSConnection
) -> None:
    files = Path(service.installation.paths.updates) / "targets" / "files"
    link = files / ("f" * 64)
    link.symlink_to(files.parent.parent / "keys" / "keys.json")
    (files / ("e" * 64)).mkdir()
    try:
        assert _get(http_of, f"/targets/files/{'f' * 64}")[0] == 404
        assert _get(http_of, f"/targets/files/{'e' * 64}")[0] == 404
    finally:
        link.unlink()
        (files / ("e" * 64)).rmdir()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_only_get_and_head(
    service: Service, http_of: http.client.HTTPSConnection, method: str
) -> None:
    status, headers, _ = _get(http_of, "/metadata/timestamp.json", method)
    assert (status, headers["allow"]) == (405, "GET, HEAD")
    # Of one device's offences ten at once are kept: see the paths above.


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metadata/timestamp.json HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 413),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01 nonsense\r\n\r\n", 400),
        (b"GET /metadata/timestamp.json HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n", 413),
    ],
)  # fmt: skip
def test_what_is_no_request_ends_the_connection(
    service: Service, device: ssl.SSLContext, request_bytes: bytes, status: int
) -> None:
    wait_admitted(service, device)
    with service.connect(device) as sock:
        sock.sendall(request_bytes)
        received = b""
        while chunk := sock.recv(4096):
            received += chunk
    assert received.startswith(b"HTTP/1.1 %d" % status), received[:100]
    assert received.count(b"HTTP/1.1") == 1


def test_many_requests_and_pipelined_ones_on_one_connection(
    service: Service, device: ssl.SSLContext
) -> None:
    wait_admitted(service, device)
    one = b"GET /metadata/timestamp.json HTTP/1.1\r\nHost: h\r\n\r\n"
    last = b"GET /metadata/timestamp.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with service.connect(device) as sock:
        sock.sendall(one * 4 + last)
        received = b""
        while chunk := sock.recv(4096):
            received += chunk
    assert received.count(b"HTTP/1.1 200") == 5


# Who is refused


def _exchange(sock: ssl.SSLSocket) -> None:
    """Ask for something and read the answer: then the server has let this connection in."""
    sock.sendall(b"HEAD /metadata/timestamp.json HTTP/1.1\r\nHost: h\r\n\r\n")
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        received += sock.recv(4096)
    assert received.startswith(b"HTTP/1.1 200")


def _is_refused(service: Service, context: ssl.SSLContext) -> None:
    """A handshake of TLS 1.3 may seem done to a client that is being refused."""
    connection = service.http(context)
    with pytest.raises((OSError, http.client.HTTPException)):
        _get(connection, "/metadata/timestamp.json")
    connection.close()


def test_nobody_without_a_certificate(service: Service) -> None:
    _is_refused(service, service.context(None))
    refusal = service.wait_refusal(lambda each: "shows no certificate" in each.detail)
    assert (refusal.reason, refusal.device_id) == (Reason.UNKNOWN_DEVICE, None)
    assert refusal.detail.startswith("update endpoint: ")
    assert refusal.peer.startswith("127.0.0.1:")


def test_nobody_of_another_authority(service: Service, tmp_path: Path) -> None:
    other = make_installation(tmp_path / "other")
    add_device(other, NewDevice("reader"))
    context = service.context(None)
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_bytes(certificate_pem(other.keystore.device_cert_der("reader")))
    key.write_bytes(key_pem(other.keystore.device_key_der("reader")))
    context.load_cert_chain(certificate, key)
    _is_refused(service, context)
    service.wait_refusal(lambda each: "is not accepted" in each.detail)
    other.store.close()


def test_the_platforms_own_identity_is_no_device(service: Service) -> None:
    context = service.context(None)
    certificate, key = service.installation.keystore.service_paths()
    context.load_cert_chain(certificate, key)
    _is_refused(service, context)
    service.wait_refusal(lambda each: each.device_id == "@ingest")


def test_a_disabled_device_is_cut_off_and_comes_back(service: Service) -> None:
    context = service.add("sleeper")
    wait_admitted(service, context)
    with service.connect(context) as sock:
        _exchange(sock)
        disable_device(service.installation, "sleeper")
        assert sock.recv(1) == b""  # the open connection ends
    _is_refused(service, context)
    service.wait_refusal(
        lambda each: (each.device_id, each.reason) == ("sleeper", Reason.DISABLED_DEVICE)
    )
    enable_device(service.installation, "sleeper")
    wait_admitted(service, context)


def test_a_revoked_device_gets_nothing(service: Service) -> None:
    context = service.add("lost")
    wait_admitted(service, context)
    with service.connect(context) as sock:
        _exchange(sock)
        revoke_device(service.installation, "lost", prove=None)
        assert sock.recv(1) == b""
    _is_refused(service, context)
    # The revocation list ends the handshake, where only the address is known.
    service.wait_refusal(
        lambda each: each.reason is Reason.REVOKED_DEVICE and "update endpoint" in each.detail
    )


# Clients that are slow, silent, or many


def test_a_slow_reader_gets_its_file_and_keeps_nobody_waiting(
    service: Service, device: ssl.SSLContext
) -> None:
    wait_admitted(service, device)
    with service.connect(device) as slow:
        slow.sendall(
            f"GET /targets/files/{service.big.sha256} HTTP/1.1\r\n"
            "Host: h\r\nConnection: close\r\n\r\n".encode()
        )
        first = slow.recv(100)
        assert _is_served(service, device)  # meanwhile
        rest = b""
        while chunk := slow.recv(5_000):
            rest += chunk
    assert (first + rest).endswith(BIG)


def test_who_says_nothing_in_the_handshake_keeps_nobody_out(
    service: Service, device: ssl.SSLContext
) -> None:
    silent = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(50)]
    try:
        wait_admitted(service, device)
    finally:
        for each in silent:
            each.close()


def test_a_device_has_few_connections_and_the_newest_counts(service: Service) -> None:
    context = service.add("many")
    wait_admitted(service, context)
    held = [service.connect(context) for _ in range(4)]
    try:
        # One by one, so that the server has met them in this order.
        for sock in held:
            _exchange(sock)
        assert _is_served(service, context)
        assert held[0].recv(1) == b""
    finally:
        for sock in held:
            sock.close()


# python-tuf's own client


class Https(FetcherInterface):
    """Fetches with a device's certificate."""

    def __init__(self, service: Service, context: ssl.SSLContext) -> None:
        self._service, self._context = service, context

    def _fetch(self, url: str) -> Iterator[bytes]:
        connection = self._service.http(self._context)
        try:
            status, _, body = _get(connection, url.removeprefix("https://seawall"))
        except OSError as error:
            raise DownloadError(str(error)) from error
        finally:
            connection.close()
        if status != 200:
            raise DownloadHTTPError(str(status), status)
        return iter([body])


def test_python_tufs_client_follows_over_https(
    service: Service, device: ssl.SSLContext, tmp_path: Path
) -> None:
    wait_admitted(service, device)
    born_with = root_metadata(Path(service.installation.paths.updates))
    (tmp_path / "trust").mkdir()

    def updater() -> Updater:
        made = Updater(
            str(tmp_path / "trust"),
            "https://seawall/metadata/",
            str(tmp_path),
            "https://seawall/targets/",
            Https(service, device),
            bootstrap=born_with,
        )
        made.refresh()
        return made

    target = updater().get_targetinfo("unix/1.0.json")
    assert target is not None
    recover_update_role(service.installation, "targets", SIGNING, NEW_KEYS)
    publish_files(service.installation, "1.1", {"big.dat": BIG}, agent=AGENT)
    client = updater()
    newer = client.get_targetinfo("unix/1.1.json")
    assert newer is not None
    manifest = json.loads(Path(client.download_target(newer)).read_bytes())
    for _, length, sha256 in manifest["files"]:
        body = b"".join(Https(service, device)._fetch(f"https://seawall/targets/files/{sha256}"))
        assert len(body) == length


# The daemon


def test_the_endpoint_opens_once_there_are_keys_and_renews_what_is_old(tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "state")
    daemon = DaemonProcess(tmp_path / "state", tmp_path / "log")
    daemon.start()
    try:
        assert daemon.wait_ready()["updates_port"] is None
        make_update_keys(installation)
        deadline = time.monotonic() + PATIENCE_S
        port = None
        while port is None and time.monotonic() < deadline:
            port = (read_running(installation.paths) or {}).get("updates_port")
            time.sleep(0.02)
        assert port == installation.settings.updates.port
        daemon.kill()
        timestamp = Path(installation.paths.updates) / "metadata" / "timestamp.json"
        timestamp.unlink()
        daemon.start()
        assert daemon.wait_ready()["updates_port"] == port
        while not timestamp.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert json.loads(timestamp.read_bytes())["signed"]["_type"] == "timestamp"
    finally:
        daemon.stop()
        installation.store.close()


def test_the_daemon_ends_while_somebody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "state")
    make_update_keys(installation)
    daemon = DaemonProcess(tmp_path / "state", tmp_path / "log")
    try:
        with Repository(Path(installation.paths.updates)).exclusive():
            daemon.start()
            daemon.wait_ready()
            assert daemon.stop() == 0
    finally:
        installation.store.close()


def test_a_taken_port_is_told_at_the_start(tmp_path: Path) -> None:
    installation = make_installation(tmp_path / "state")
    make_update_keys(installation)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", installation.settings.updates.port))
        taken.listen()
        daemon = DaemonProcess(tmp_path / "state", tmp_path / "log")
        daemon.start()
        with pytest.raises(TimeoutError):
            daemon.wait_ready()
        assert daemon.returncode == 6
        assert "updates.port" in daemon.log()
    installation.store.close()
