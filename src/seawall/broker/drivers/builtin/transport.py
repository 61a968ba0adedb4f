"""A non-blocking stream under one connection: TLS, in the product always TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Final, Protocol

from seawall.pki.peers import Peer, peer_of

WANT_READ: Final = -1
WANT_WRITE: Final = -2


_SOCKET_OPTIONS: Final = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # For clients without keep-alive of their own: gone for four minutes is gone.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)


def tune(sock: socket.socket) -> None:
    """Set what every connection has, whatever runs over it."""
    sock.setblocking(False)
    for level, option, value in _SOCKET_OPTIONS:
        sock.setsockopt(level, option, value)


class Transport(Protocol):
    """What a link needs. All calls return at once; a broken stream raises `OSError`."""

    def handshake(self) -> Peer | int | None:
        """Go on with the handshake.

        Returns:
            The peer once it is proven, None if it has shown nothing that can be
            used, `WANT_READ` or `WANT_WRITE`.
        """

    def read_into(self, buffer: memoryview) -> int:
        """Read at most one record; 0 at the end, or `WANT_READ`, `WANT_WRITE`."""

    def write(self, data: bytes) -> int:
        """Write a part; how much, or `WANT_READ`, `WANT_WRITE`."""

    def finish(self) -> None:
        """Say that nothing more will be written."""

    def drain(self) -> bool:
        """Throw away what still comes; True at the end."""

    def close(self) -> None:
        """Let go."""


class TlsTransport:
    """TLS by `ssl.SSLSocket`.

    Args:
        context: With whose keys and for whose clients.
        sock: Connected and non-blocking; belongs to the transport from now on.

    Raises:
        OSError: the connection is gone already.
    """

    __slots__ = ("_read", "_sock")

    def __init__(self, context: ssl.SSLContext, sock: socket.socket) -> None:
        self._sock = context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self._read = self._sock.read

    def handshake(self) -> Peer | int | None:
        """See `Transport`."""
        try:
            self._sock.do_handshake()
        except ssl.SSLWantReadError:
            return WANT_READ
        except ssl.SSLWantWriteError:
            return WANT_WRITE
        return peer_of(self._sock.getpeercert() or {})

    def read_into(self, buffer: memoryview) -> int:
        """See `Transport`."""
        try:
            return self._read(len(buffer), buffer)  # type: ignore[return-value]
        except ssl.SSLWantReadError:
            return WANT_READ
        except ssl.SSLWantWriteError:
            return WANT_WRITE

    def write(self, data: bytes) -> int:
        """See `Transport`."""
        try:
            return self._sock.write(data)
        except ssl.SSLWantWriteError:
            return WANT_WRITE
        except ssl.SSLWantReadError:
            return WANT_READ

    def finish(self) -> None:
        """See `Transport`: close_notify, then FIN."""
        with contextlib.suppress(OSError, ValueError):
            self._sock.unwrap()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def drain(self) -> bool:
        """See `Transport`."""
        try:
            return not self._sock.recv(65_536)
        except BlockingIOError:
            return False

    def close(self) -> None:
        """See `Transport`."""
        del self._read  # a bound method of the socket: a circle
        self._sock.close()
