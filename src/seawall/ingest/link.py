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

_TURN_BYTES: Final = 256 * 1024
"""At most so much is read before the loop may do something else."""
_SMALL_BYTES: Final = 32_768
_REST_S: Final = 0.001
"""Reading rests for so long when buffers come small and faster than that."""
_RECORD_BYTES: Final = 16_384
"""The largest TLS record (RFC 8446, 5.1)."""


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

    TLS runs over memory, not over the socket: Mosquitto sends each message as a
    record of its own, and `ssl.SSLSocket` needs two system calls for a record.

    Attributes:
        on_data: Called with all bytes that a turn brought, never empty.
        on_closed: Called once with the reason, unless `close` was called first.
    """

    def __init__(self, sock: socket.socket, tls: Tls | None) -> None:
        self.on_data: Callable[[bytes], None] = _ignore
        self.on_closed: Callable[[str], None] = _ignore
        self._sock = sock
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray(_TURN_BYTES)
        self._view = memoryview(self._buffer)
        self._out = bytearray()
        self._reading = False
        self._writing = False
        self._closed = False
        self._read_at = 0.0

    def resume(self) -> None:
        """Read from now on."""
        if not self._reading and not self._closed:
            self._reading = True
            self._loop.add_reader(self._sock, self._read)
            if self._tls is not None:
                # The server's first words may have come with the end of the handshake.
                self._loop.call_soon(self._take, b"")

    def pause(self) -> None:
        """Stop reading; the broker is held back by TCP."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock)

    def write(self, data: bytes) -> None:
        """Send, or keep until the socket takes it."""
        if self._closed or not data:
            return
        self._out += data if self._tls is None else self._tls.encrypt(data)
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
        try:
            count = self._sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(str(error))
            return
        if not count:
            self._end("the broker closed the connection")
            return
        now = self._loop.time()
        if count < _SMALL_BYTES and now - self._read_at < _REST_S:
            # A fast broker wakes us for every few messages, and waking costs
            # more than they do. Let some more come.
            self._loop.remove_reader(self._sock)
            self._loop.call_later(_REST_S, self._wake)
        self._read_at = now
        self._take(bytes(self._view[:count]))

    def _wake(self) -> None:
        if self._reading:
            self._loop.add_reader(self._sock, self._read)

    def _take(self, data: bytes) -> None:
        if self._tls is None:
            self.on_data(data)
            return
        if self._closed:
            return
        try:
            data = self._tls.decrypt(data)
            self._out += self._tls.pending_output()
        except ssl.SSLError as error:
            self._end(f"TLS: {getattr(error, 'reason', None) or error.strerror}")
            return
        if data:
            self.on_data(data)
        if self._out and not self._writing and not self._closed:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._out:
                sent = self._sock.send(self._out)
                del self._out[:sent]
        except BlockingIOError:
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._sock, self._flush)
            return
        except OSError as error:
            self._end(str(error))
            return
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._sock)

    def _end(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self.on_closed(reason)


class Tls:
    """The client's side of TLS, over memory."""

    def __init__(self, context: ssl.SSLContext, server_name: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    def shake(self, data: bytes) -> bool:
        """Go on with the handshake; True when it is done.

        Raises:
            ssl.SSLError: one side does not convince the other.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def encrypt(self, data: bytes) -> bytes:
        """Return what is to be sent for ``data``."""
        self._object.write(data)
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """Return what the records that are whole now hold.

        Raises:
            ssl.SSLError: a record is forged or broken.
        """
        self._incoming.write(data)
        clear: list[bytes] = []
        append, read = clear.append, self._object.read
        try:
            while record := read(_RECORD_BYTES):  # nothing: the server has ended TLS
                append(record)
        except ssl.SSLWantReadError:
            return b"".join(clear)
        if not clear:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "the broker ended TLS")
        return b"".join(clear)

    def pending_output(self) -> bytes:
        """Return what TLS itself has to say: handshake, alerts, new keys."""
        return self._outgoing.read() if self._outgoing.pending else b""


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
            try:
                return Link(sock, await _handshake(sock, address))
            except BaseException:
                sock.close()
                raise
    except ssl.SSLError as error:
        raise ServiceError(
            f"no TLS with the broker at {address}: {error}",
            reference="broker-untrusted",
            hint="the server's certificate must have this name, and come from our authority",
        ) from error
    except (OSError, TimeoutError) as error:
        raise ServiceError(
            f"the broker at {address} cannot be reached: {str(error) or 'no answer'}",
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


async def _handshake(sock: socket.socket, address: BrokerAddress) -> Tls | None:
    if address.context is None:
        return None
    loop = asyncio.get_running_loop()
    tls = Tls(address.context(), address.server_name or address.host)
    data = b""
    while True:
        try:
            done = tls.shake(data)
        except ssl.SSLError:
            with contextlib.suppress(OSError):  # tell the server why
                await loop.sock_sendall(sock, tls.pending_output())
            raise
        await loop.sock_sendall(sock, tls.pending_output())
        if done:
            return tls
        data = await loop.sock_recv(sock, _RECORD_BYTES)
        if not data:
            raise OSError("the broker closed the connection during the handshake")
