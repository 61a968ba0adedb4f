"""A non-blocking stream to a broker: TLS or plain, read in whole buffers.

asyncio's own transports hand TLS over in small pieces through two more buffers.
Here the loop only says when the socket is readable; then everything that has
arrived is taken in one go, which is what lets the decoder run over thousands
of packets at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from seawall.errors import ServiceError

_CHUNK_BYTES: Final = 256 * 1024
_TURN_BYTES: Final = 512 * 1024
"""At most so much is read before the loop may do something else."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker is, and how it is met.

    Attributes:
        host: Name or address.
        port: TCP port.
        context: Makes the TLS context, anew for each connection, so that a
            renewed certificate is taken up. None: plain TCP, for benchmarks on
            the loopback interface alone.
        server_name: The name that the server's certificate must have; ``host`` by default.
    """

    host: str
    port: int
    context: Callable[[], ssl.SSLContext] | None = None
    server_name: str | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Link:
    """An open connection. Made by `open_link`; calls back on the loop's thread.

    Attributes:
        on_data: Called with all bytes that a turn brought, never empty.
        on_closed: Called once with the reason, unless `close` was called first.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.on_data: Callable[[bytes], None] = _ignore
        self.on_closed: Callable[[str], None] = _ignore
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()
        self._reading = False
        self._writing = False
        self._closed = False
        # Bytes that TLS has decrypted already never make the socket readable again.
        self._buffers_inside = isinstance(sock, ssl.SSLSocket)

    def resume(self) -> None:
        """Read, now and from now on."""
        if not self._reading and not self._closed:
            self._reading = True
            self._loop.add_reader(self._sock, self._read)
            if self._buffers_inside:
                self._loop.call_soon(self._read)

    def pause(self) -> None:
        """Stop reading; the broker is held back by TCP."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock)

    def write(self, data: bytes) -> None:
        """Send, or keep until the socket takes it."""
        if self._closed or not data:
            return
        self._out += data
        if not self._writing:
            self._flush()

    def close(self) -> None:
        """Close at once. Idempotent."""
        if self._closed:
            return
        self.pause()
        self._closed = True
        self._loop.remove_writer(self._sock)
        # Without TLS's farewell: the peer may be gone, and nothing is to wait for it.
        with contextlib.suppress(OSError):
            self._sock.close()

    def _read(self) -> None:
        if not self._reading:
            return
        chunks: list[bytes] = []
        left = _TURN_BYTES
        ended: str | None = None
        receive = self._sock.recv
        while left > 0:
            try:
                data = receive(_CHUNK_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except ssl.SSLWantWriteError:
                self._await_writable()
                break
            except OSError as error:
                ended = str(error)
                break
            if not data:
                ended = "the broker closed the connection"
                break
            chunks.append(data)
            left -= len(data)
        else:
            if self._buffers_inside:
                self._loop.call_soon(self._read)
        if chunks:
            self.on_data(b"".join(chunks))
        if ended is not None:
            self._end(ended)

    def _flush(self) -> None:
        try:
            while self._out:
                sent = self._sock.send(self._out)
                del self._out[:sent]
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._await_writable()
            return
        except ssl.SSLWantReadError:
            self._loop.call_later(0.01, self._flush)
            return
        except OSError as error:
            self._end(str(error))
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock)

    def _await_writable(self) -> None:
        if not self._writing and not self._closed:
            self._writing = True
            self._loop.add_writer(self._sock, self._flush)

    def _end(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self.on_closed(reason)


def _ignore(_: object) -> None:
    return None


async def open_link(address: BrokerAddress, timeout_s: float) -> Link:
    """Connect, and prove both sides if it is TLS. Reading starts with `Link.resume`.

    Raises:
        ServiceError: nobody answers, or the certificates do not convince
            (``broker-unreachable``, ``broker-untrusted``).
    """
    try:
        async with asyncio.timeout(timeout_s):
            sock = await _connect(address)
            if address.context is None:
                return Link(sock)
            return Link(await _handshake(sock, address, address.context()))
    except ssl.SSLError as error:
        raise ServiceError(
            f"no TLS with the broker at {address}: {error}",
            reference="broker-untrusted",
            hint="the server's certificate must have this name, and come from our authority",
        ) from error
    except (OSError, TimeoutError) as error:
        raise ServiceError(
            f"the broker at {address} cannot be reached: {error or 'no answer'}",
            reference="broker-unreachable",
        ) from error


async def _connect(address: BrokerAddress) -> socket.socket:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for family, kind, protocol, _, where in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, where)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure or OSError(f"{address.host} has no address")


async def _handshake(
    sock: socket.socket, address: BrokerAddress, context: ssl.SSLContext
) -> ssl.SSLSocket:
    secured = context.wrap_socket(
        sock,
        server_hostname=address.server_name or address.host,
        do_handshake_on_connect=False,
        # A broker that is killed says no farewell; MQTT has its own ends of messages.
        suppress_ragged_eofs=True,
    )
    try:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                await _until_ready(secured, writable=False)
            except ssl.SSLWantWriteError:
                await _until_ready(secured, writable=True)
            else:
                return secured
    except BaseException:
        secured.close()
        raise


async def _until_ready(sock: socket.socket, *, writable: bool) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def set_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    if writable:
        loop.add_writer(sock, set_ready)
    else:
        loop.add_reader(sock, set_ready)
    try:
        await ready
    finally:
        (loop.remove_writer if writable else loop.remove_reader)(sock)
