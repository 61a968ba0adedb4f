"""One device at the update endpoint: handshake, identity, and its requests one by one."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import os
import socket
import ssl
import stat
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import h11

from seawall.model.reading import Reason
from seawall.pki.peers import Peer, handshake_refusal, peer_of
from seawall.store.refusal_filter import RefusalFilter
from seawall.updates.requests import METHODS, Part, part_of, range_header, wanted_file

HANDSHAKE_TIMEOUT_S: Final = 10.0
REQUEST_TIMEOUT_S: Final = 30.0
"""A request arrives whole within this time of the last answer, or of the handshake."""
WRITE_TIMEOUT_S: Final = 30.0
"""Who takes less than `CHUNK_BYTES` of an answer in so long is let go."""
CHUNK_BYTES: Final = 16_384
RECORD_BYTES: Final = 1024
"""At most so much is in one TLS record: a device can use none of a record that does not arrive
whole, so that a network which breaks off would else waste up to 16 KB of the download."""
MAX_HEAD_BYTES: Final = 8_192


class _Body(NamedTuple):
    """A file that is being sent."""

    descriptor: int
    length: int


class Judge(Protocol):
    """Decides about devices that have proven who they are."""

    def admit(self, connection: UpdateConnection, peer: Peer) -> Reason | None:
        """Let a device in, or return why not."""

    def judge(self, peer: Peer) -> Reason | None:
        """Return why a device that is in may not stay; None if it may."""


class UpdateConnection:
    """A connection that was accepted.

    Args:
        root: The folder of updates.
        sock: Of the connection, non-blocking; belongs to it from now on.
        peer_name: ``host:port``, for refusals.
        judge: Decides who may come in.
        refusals: Where refusals go.
    """

    def __init__(
        self, root: Path, sock: socket.socket, peer_name: str, judge: Judge, refusals: RefusalFilter
    ) -> None:
        self._root = root
        self._sock = sock
        self._peer_name = peer_name
        self._judge = judge
        self._refusals = refusals
        self._writer: asyncio.StreamWriter | None = None
        self.peer: Peer | None = None

    async def serve(self, context: ssl.SSLContext) -> None:
        """Serve until either side ends it."""
        try:
            reader, writer = await self._open_tls(context)
        except OSError as error:
            self._sock.close()
            refusal = handshake_refusal(error)
            if refusal is not None:
                self._note(*refusal)
            return
        self._writer = writer
        try:
            # A device that went away, or is too slow, is no fault of anybody.
            with contextlib.suppress(OSError, TimeoutError):
                if self._is_admitted(writer):
                    await self._serve_requests(reader, writer)
                await self._end(writer)
        finally:
            writer.transport.abort()

    def abort(self) -> None:
        """End it now."""
        if self._writer is not None:
            self._writer.transport.abort()

    async def _open_tls(
        self, context: ssl.SSLContext
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol,
            self._sock,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
            ssl_shutdown_timeout=HANDSHAKE_TIMEOUT_S,
        )
        transport.set_write_buffer_limits(high=CHUNK_BYTES)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)

    def _is_admitted(self, writer: asyncio.StreamWriter) -> bool:
        certificate = writer.get_extra_info("peercert") or {}
        self.peer = peer_of(certificate)
        if self.peer is None:
            self._note(Reason.UNKNOWN_DEVICE, "the certificate names no device")
            return False
        reason = self._judge.admit(self, self.peer)
        if reason is not None:
            self._note(reason, "the certificate may not fetch releases")
        return reason is None

    def _note(self, reason: Reason, detail: str) -> None:
        identity = None if self.peer is None else self.peer.identity
        self._refusals.note(
            reason, f"update endpoint: {detail}", device_id=identity, peer=self._peer_name
        )

    async def _serve_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        while True:
            try:
                async with asyncio.timeout(REQUEST_TIMEOUT_S):
                    request = await _next_request(http, reader)
            except h11.RemoteProtocolError as error:
                self._note(Reason.MALFORMED, f"no HTTP request: {error}")
                await _send_error(http, writer, error.error_status_hint)
                return
            if request is None or not self._may_stay():
                return
            await self._answer(http, writer, request)
            if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
                return
            http.start_next_cycle()

    def _may_stay(self) -> bool:
        assert self.peer is not None  # noqa: S101  it was admitted
        reason = self._judge.judge(self.peer)
        if reason is not None:
            self._note(reason, "the certificate may not fetch releases any more")
        return reason is None

    async def _answer(
        self, http: h11.Connection, writer: asyncio.StreamWriter, request: h11.Request
    ) -> None:
        method = request.method.decode("ascii", "replace")
        target = request.target.decode("ascii", "replace")
        if method not in METHODS:
            self._note(Reason.MALFORMED, f"method {method[:16]!r} is not served")
            await _send(http, writer, 405, [("Allow", ", ".join(METHODS))])
            return
        wanted = wanted_file(target)
        if wanted is None:
            self._note(Reason.MALFORMED, f"{target[:128]!r} is no name in the repository")
            await _send(http, writer, 404, [])
            return
        body = await asyncio.to_thread(_open_file, self._root / wanted.path)
        if body is None:
            await _send(http, writer, 404, [])
            return
        try:
            names = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers]
            part = part_of(method, names, body.length)
            await _send_part(http, writer, method, part, body, wanted.media_type)
        finally:
            os.close(body.descriptor)

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        async with asyncio.timeout(HANDSHAKE_TIMEOUT_S):
            await writer.wait_closed()


async def _next_request(http: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """Return the next request once it is whole; None at the end.

    Raises:
        h11.RemoteProtocolError: it is none, is too long, or brings a body.
    """
    request: h11.Request | None = None
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            _check_no_body(event)
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        else:
            return None


def _check_no_body(request: h11.Request) -> None:
    for name, value in request.headers:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            raise h11.RemoteProtocolError("a body is not taken", error_status_hint=413)


async def _send_error(http: h11.Connection, writer: asyncio.StreamWriter, status: int) -> None:
    if http.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
        await _send(http, writer, status, [("Connection", "close")])


async def _send(
    http: h11.Connection,
    writer: asyncio.StreamWriter,
    status: int,
    headers: list[tuple[str, str]],
) -> None:
    """Send an answer without a body."""
    await _write(writer, http.send(_response(status, 0, headers)))
    await _write(writer, http.send(h11.EndOfMessage()))


def _response(status: int, length: int, headers: list[tuple[str, str]]) -> h11.Response:
    always = [("Date", email.utils.formatdate(usegmt=True)), ("Content-Length", str(length))]
    return h11.Response(status_code=status, headers=[*always, *headers])


async def _send_part(
    http: h11.Connection,
    writer: asyncio.StreamWriter,
    method: str,
    part: Part,
    body: _Body,
    media_type: str,
) -> None:
    headers = [("Content-Type", media_type), ("Accept-Ranges", "bytes")]
    content_range = range_header(part, body.length)
    if content_range is not None:
        headers.append(("Content-Range", content_range))
    await _write(writer, http.send(_response(part.status, part.length, headers)))
    at, left = part.first, part.length if method == "GET" else 0
    while left:
        data = await asyncio.to_thread(os.pread, body.descriptor, min(left, CHUNK_BYTES), at)
        if not data:
            raise OSError("the file became shorter")
        at, left = at + len(data), left - len(data)
        await _write(writer, http.send(h11.Data(data=data)))
    await _write(writer, http.send(h11.EndOfMessage()))


async def _write(writer: asyncio.StreamWriter, data: bytes | None) -> None:
    if data:
        for at in range(0, len(data), RECORD_BYTES):
            writer.write(data[at : at + RECORD_BYTES])  # a record each
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await writer.drain()


def _open_file(path: Path) -> _Body | None:
    """Open a regular file; None if there is none. Follows no link at its end."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        os.close(descriptor)
        return None
    return _Body(descriptor, facts.st_size)
