"""One TCP or TLS connection to a target, with limits, whose every failure is `Unobserved`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from seawall.audit.check import Limits, Unobserved

CHUNK_BYTES: Final = 16 * 1024
_REASONS: Final = (
    (ConnectionRefusedError, "connection refused"),
    (ConnectionResetError, "connection reset"),
    (BrokenPipeError, "connection reset"),
    (ConnectionAbortedError, "connection aborted"),
    (socket.gaierror, "the name does not resolve"),
)


def failure_reason(error: Exception) -> str:
    """Return a short reason for what the network raised."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {_ssl_reason(error)}"
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    if isinstance(error, UnicodeError):
        return "the name is no host name"
    return getattr(error, "strerror", None) or type(error).__name__


def _ssl_reason(error: ssl.SSLError) -> str:
    return (error.reason or "connection closed").lower().replace("_", " ")


@asynccontextmanager
async def observed(what: str, timeout_s: float) -> AsyncIterator[None]:
    """Turn what the network raises, and too long a wait, into `Unobserved`.

    Args:
        what: What was waited for, such as ``an answer to CONNECT``.
        timeout_s: Seconds for all that is done within.

    Raises:
        Unobserved: it failed, or took too long.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError:
        raise Unobserved(f"timed out: no {what} within {timeout_s:g} s") from None
    except (OSError, UnicodeError, EOFError) as error:
        raise Unobserved(failure_reason(error)) from error


class Connection:
    """Bytes to and from a target.

    Args:
        reader: Of asyncio.
        writer: Of asyncio.
        limits: What an answer may cost.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limits: Limits
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._limits = limits

    @property
    def tls(self) -> ssl.SSLObject:
        """The TLS side of it."""
        found = self._writer.get_extra_info("ssl_object")
        if not isinstance(found, ssl.SSLObject):
            raise Unobserved("the connection is not TLS")
        return found

    async def send(self, content: bytes) -> None:
        """Send; who takes nothing holds up the caller, who has a time limit.

        Raises:
            OSError: the connection broke.
        """
        self._writer.write(content)
        await self._writer.drain()

    async def receive(self) -> bytes:
        """Return what has come, at most `CHUNK_BYTES`; empty at the end.

        Raises:
            OSError: the connection broke.
        """
        return await self._reader.read(CHUNK_BYTES)

    async def receive_until(
        self, is_enough: Callable[[bytes], bool], max_bytes: int, timeout_s: float
    ) -> tuple[bytes, bool]:
        """Gather until enough came, the sender ended, or the time is over.

        Args:
            is_enough: Asked after each arrival with all that came.
            max_bytes: More is not read.
            timeout_s: Seconds.

        Returns:
            What came, and whether the sender closed or broke the connection.
        """
        gathered = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                while len(gathered) < max_bytes and not is_enough(bytes(gathered)):
                    received = await self.receive()
                    if not received:
                        return bytes(gathered), True
                    gathered += received
        except TimeoutError:
            return bytes(gathered), False
        except OSError:
            return bytes(gathered), True
        return bytes(gathered[:max_bytes]), False

    def abort(self) -> None:
        """End at once, without a farewell that a target could drag out."""
        abort(self._writer)


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection at once."""
    # What a TLS transport that has ended raises in Python 3.11.2, which is Debian 12's.
    with contextlib.suppress(AttributeError):
        writer.transport.abort()


@asynccontextmanager
async def connected(
    host: str,
    port: int,
    limits: Limits,
    *,
    context: ssl.SSLContext | None = None,
    server_name: str | None = None,
    timeout_s: float | None = None,
) -> AsyncIterator[Connection]:
    """Connect, and end the connection at the end.

    Args:
        host: Name or address.
        port: TCP.
        limits: Times for TCP, and again for TLS.
        context: For TLS; None: plain.
        server_name: For TLS, if it is not the host.
        timeout_s: In place of the limits' time to connect.

    Raises:
        Unobserved: it cannot be connected to.
        ssl.SSLError: the handshake failed; the caller knows what that means.
    """
    seconds = timeout_s or limits.connect_timeout_s
    reader, writer = await _open(host, port, seconds)
    connection = Connection(reader, writer, limits)
    try:
        if context is not None:
            await _start_tls(writer, context, server_name or host, seconds)
        yield connection
    finally:
        connection.abort()


async def _open(
    host: str, port: int, timeout_s: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with observed("TCP connection", timeout_s):
        return await asyncio.open_connection(host, port)
    raise AssertionError  # `observed` returns or raises


async def _start_tls(
    writer: asyncio.StreamWriter, context: ssl.SSLContext, server_name: str, timeout_s: float
) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await writer.start_tls(context, server_hostname=server_name)
    except TimeoutError:
        raise Unobserved(f"timed out: no TLS handshake within {timeout_s:g} s") from None
    except ssl.SSLError:
        raise
    except (OSError, UnicodeError, EOFError, ValueError) as error:
        raise Unobserved(failure_reason(error)) from error
