"""The HTTPS server against clients that hold connections, and old TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request

from seawall.daemon import http_server
from seawall.daemon.http_server import HttpServer, Places
from seawall.errors import StoreError
from seawall.pki.contexts import web_server_context
from seawall.pki.keystore import Keystore
from seawall.web.problems import Problem, response_to

pytestmark = [pytest.mark.system, pytest.mark.anyio]

SHORT_S = 0.3
LARGE = 8 << 20
"""Bytes; more than both kernels keep."""
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    """Return certificates for localhost."""
    path = tmp_path_factory.mktemp("web") / "pki"
    return Keystore.create(path, ["localhost", "127.0.0.1"], datetime.now(UTC))


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer: "slowly" after three times the patience, "large" with more than `LARGE`."""
    body = b"fine"
    while (await receive()).get("more_body"):
        pass
    if scope["path"] == "/slowly":
        await asyncio.sleep(3 * SHORT_S)
    if scope["path"] == "/large":
        body = bytes(LARGE + 1)
    length = str(len(body)).encode()
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port(keystore: Keystore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Serve with little patience."""
    monkeypatch.setattr(http_server, "REQUEST_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(http_server, "HANDSHAKE_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(http_server, "WRITE_TIMEOUT_MS", 500)
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS_PER_NETWORK", 20)
    server = HttpServer(application, lambda: web_server_context(keystore), "127.0.0.1", 0)
    running = asyncio.create_task(server.run())
    await server.wait_until_ready()
    yield server.port
    server.stop()
    await asyncio.wait_for(running, 10)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(keystore: Keystore, port: int) -> Streams:
    """Open a TLS connection and say nothing."""
    context = ssl.create_default_context(cafile=keystore.root_path)
    return await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )


async def closed_after_s(reader: asyncio.StreamReader) -> float:
    """Wait for the server to close; return how long it took."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 10)
    return loop.time() - began_s


async def answer(keystore: Keystore, port: int, request: bytes = REQUEST + b"\r\n") -> bytes:
    """Return the first line of the answer to a request; empty if there is none."""
    reader, writer = await connect(keystore, port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.readline(), 10)
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "beginning",
    [b"", REQUEST, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["silence", "half a head", "half a body"],
)
async def test_a_request_that_does_not_end_is_ended(
    keystore: Keystore, port: int, beginning: bytes
) -> None:
    reader, writer = await connect(keystore, port)
    writer.write(beginning)
    assert SHORT_S / 2 < await closed_after_s(reader) < SHORT_S * 10
    writer.transport.abort()


async def test_a_trickle_is_no_progress(keystore: Keystore, port: int) -> None:
    reader, writer = await connect(keystore, port)

    async def trickle() -> None:
        writer.write(REQUEST)
        while True:
            writer.write(b"x-a: b\r\n")
            await asyncio.sleep(SHORT_S / 5)

    trickling = asyncio.create_task(trickle())
    assert await closed_after_s(reader) < SHORT_S * 10
    trickling.cancel()
    writer.transport.abort()


async def test_a_handshake_that_does_not_come_is_ended(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await closed_after_s(reader) < SHORT_S * 10
    writer.transport.abort()


async def test_the_answer_may_take_its_time(keystore: Keystore, port: int) -> None:
    slow = b"GET /slowly HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert b" 200 " in await answer(keystore, port, slow)


async def test_one_sender_cannot_take_all_places_for_long(
    keystore: Keystore, port: int, eventually: Callable[..., Awaitable[Any]]
) -> None:
    held = [await connect(keystore, port) for _ in range(25)]
    assert await answer(keystore, port) == b""
    await eventually(lambda: answer(keystore, port), what="a place")
    for _, writer in held:
        writer.transport.abort()


async def test_a_reader_that_takes_nothing_is_let_go(keystore: Keystore, port: int) -> None:
    context = ssl.create_default_context(cafile=keystore.root_path)

    def take_after_s(patience_s: float) -> int:
        with socket.socket() as raw:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.settimeout(10)
            raw.connect(("127.0.0.1", port))
            with context.wrap_socket(raw, server_hostname="localhost") as client:
                client.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(patience_s)
                taken = 0
                with contextlib.suppress(OSError):
                    while block := client.recv(1 << 20):
                        taken += len(block)
                        if taken > LARGE:
                            break
                return taken

    assert await asyncio.to_thread(take_after_s, 0) > LARGE
    assert await asyncio.to_thread(take_after_s, 2) < LARGE


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_old_tls_is_refused(port: int, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # The control: the same context is let in as soon as it offers more.
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.transport.abort()
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=context)


def test_places_are_given_back_and_warnings_are_few(caplog: pytest.LogCaptureFixture) -> None:
    most = http_server.MAX_CONNECTIONS_PER_NETWORK
    places = Places(http_server.MAX_CONNECTIONS, most)
    assert all(places.take("192.0.2.1", 0) for _ in range(most))
    assert not any(places.take("192.0.2.1", 0) for _ in range(5))
    assert len(caplog.records) == 1
    rest = http_server.MAX_CONNECTIONS - most
    assert all(places.take("192.0.2.2", 0) for _ in range(rest))
    assert not places.take("192.0.2.3", 0)
    places.give_back("192.0.2.2")
    assert places.take("192.0.2.3", 0)


def test_foreseen_failures_are_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/v1/live",
        "headers": [],
        "query_string": b"",
    }
    request = Request({**scope, "server": ("localhost", 443), "scheme": "https"})
    pages: Any = None  # programs get no page
    for error in (Problem(503, reference="too-many-viewers"), StoreError("the disk is gone")):
        assert response_to(error, request, pages).status_code == 503
    assert caplog.messages == [
        "GET /api/v1/live failed: too-many-viewers",
        "GET /api/v1/live failed: the disk is gone",
    ]
    assert not any(record.exc_info for record in caplog.records)
    response_to(ValueError("a fault"), request, pages)
    assert caplog.records[-1].exc_info
