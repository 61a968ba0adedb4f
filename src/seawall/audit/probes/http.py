"""Asks an HTTP server, by h11 over one connection that is kept while the server keeps it.

Much firmware closes after each answer; then a new connection is made for the next request,
up to the number that the job declares. Nothing that signs in is sent from here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import ClassVar, Final

import h11

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.http_facts import FOREIGN_ORIGIN, Reply, Request, WalkFacts
from seawall.audit.probes.connection import Connection, connected, failure_reason
from seawall.audit.probes.tls import lenient_context, wanted_name
from seawall.audit.target import Target

MAX_BODY_BYTES: Final = 256 * 1024
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_INFORMATIONAL: Final = 8
_GIVE_UP_AFTER: Final = 2
"""Requests in a row without an answer: the server does not answer any more."""


def origin_of(target: Target) -> str:
    """Return the target's scheme, host and port as a URL without path."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    usual = 443 if target.uses_tls else 80
    port = "" if target.port == usual else f":{target.port}"
    return f"{'https' if target.uses_tls else 'http'}://{host}{port}"


class Browser:
    """Asks one thing after the other.

    Args:
        target: Whom.
        limits: What an answer may cost.
        connections: At most so many are made.
        context: For TLS, in the place of one that trusts everybody.
        max_body_bytes: More of an answer is not read.
    """

    def __init__(
        self,
        target: Target,
        limits: Limits,
        connections: int,
        context: ssl.SSLContext | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._target = target
        self._limits = limits
        self._left = connections
        self._context = context
        self._max_body_bytes = max_body_bytes
        self._stack = AsyncExitStack()
        self._connection: Connection | None = None
        self._machine = h11.Connection(h11.CLIENT, MAX_HEAD_BYTES)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the connection."""
        self._connection = None
        await self._stack.aclose()

    async def ask(self, request: Request) -> Reply:
        """Return the answer; what of a body does not come in time is left out.

        Raises:
            Unobserved: no connection is left or to be had, or no answer came.
        """
        is_kept = self._connection is not None
        try:
            return await self._ask(request)
        except _ClosedError:
            # A kept connection may have been closed before this request reached the server.
            if not is_kept:
                raise Unobserved("the connection was closed without an answer") from None
        try:
            return await self._ask(request)
        except _ClosedError:
            raise Unobserved("the connection was closed without an answer") from None

    async def _ask(self, request: Request) -> Reply:
        connection = await self._connected()
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                await self._send(connection, request)
            reply = await self._receive(connection)
        except TimeoutError:
            await self.close()
            raise Unobserved(f"timed out after {self._limits.read_timeout_s:g} s") from None
        except h11.RemoteProtocolError as error:
            await self.close()
            raise Unobserved(f"speaks another protocol than HTTP ({error})") from error
        except (OSError, h11.LocalProtocolError) as error:
            await self.close()
            if isinstance(error, h11.LocalProtocolError | ConnectionError):
                raise _ClosedError from error
            raise Unobserved(failure_reason(error)) from error
        except BaseException:
            await self.close()
            raise
        await self._rest(reply)
        return reply

    async def _connected(self) -> Connection:
        if self._connection is not None:
            return self._connection
        if not self._left:
            raise Unobserved("not asked: the server closes after each answer")
        self._left -= 1
        target = self._target
        context = (self._context or _with_certificate(target)) if target.uses_tls else None
        name = wanted_name(target)
        try:
            self._connection = await self._stack.enter_async_context(
                connected(target.host, target.port, self._limits, context=context, server_name=name)
            )
        except ssl.SSLError as error:
            raise Unobserved(failure_reason(error)) from error
        self._machine = h11.Connection(h11.CLIENT, MAX_HEAD_BYTES)
        return self._connection

    async def _send(self, connection: Connection, request: Request) -> None:
        headers = [
            ("Host", origin_of(self._target).partition("://")[2]),
            ("User-Agent", "seawall-audit"),
            ("Accept", "*/*"),
            *request.headers,
        ]
        if not any(name.lower() == "origin" for name, _ in headers):
            headers.append(("Origin", FOREIGN_ORIGIN))
        if request.body:
            headers.append(("Content-Length", str(len(request.body))))
        try:
            head = h11.Request(method=request.method, target=request.path, headers=headers)
        except (h11.LocalProtocolError, UnicodeError) as error:
            raise Unobserved("the path cannot be asked for") from error
        outgoing = self._machine.send(head) or b""
        if request.body:
            outgoing += self._machine.send(h11.Data(data=request.body)) or b""
        outgoing += self._machine.send(h11.EndOfMessage()) or b""
        await connection.send(outgoing)

    async def _receive(self, connection: Connection) -> Reply:
        head: h11.Response | None = None
        body = bytearray()
        is_whole = False
        informational = 0
        try:
            async with asyncio.timeout(self._limits.read_timeout_s):
                while not is_whole and len(body) < self._max_body_bytes:
                    event = await self._next_event(connection)
                    if isinstance(event, h11.InformationalResponse):
                        informational += 1
                        if informational > MAX_INFORMATIONAL:
                            raise Unobserved("flooded with informational answers")
                    elif isinstance(event, h11.Response):
                        head = event
                    elif isinstance(event, h11.Data):
                        body += event.data
                    else:
                        is_whole = True
        except (TimeoutError, OSError):
            if head is None:
                raise
        except h11.RemoteProtocolError:
            # A body that ends too early is one that still can be read; anything else is no HTTP.
            if head is None or not body:
                raise
        if head is None:
            raise _ClosedError
        fields = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in head.headers)
        return Reply(head.status_code, fields, bytes(body[: self._max_body_bytes]), is_whole)

    async def _next_event(self, connection: Connection) -> object:
        while True:
            event = self._machine.next_event()
            if event is h11.PAUSED:
                raise Unobserved("changed to another protocol")
            if event is not h11.NEED_DATA:
                return event
            received = await connection.receive()
            if not received and self._machine.their_state is h11.SEND_RESPONSE:
                raise ConnectionResetError
            self._machine.receive_data(received)

    async def _rest(self, reply: Reply) -> None:
        """Keep the connection for the next request, if it can be."""
        states = {self._machine.our_state, self._machine.their_state}
        if reply.is_whole and states == {h11.DONE}:
            self._machine.start_next_cycle()
        else:
            await self.close()


class _ClosedError(Exception):
    """The server closed before it answered."""


def _with_certificate(target: Target) -> ssl.SSLContext:
    context = lenient_context()
    if target.access.cert is not None:
        try:
            context.load_cert_chain(target.access.cert, target.access.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise Unobserved(f"{target.access.cert}: {failure_reason(error)}") from error
    return context


async def walk(browser: Browser, requests: Iterable[Request]) -> dict[Request, Reply | str]:
    """Ask all; who does not answer twice in a row is not asked any more.

    Returns:
        By request, the answer, or why there is none.
    """
    replies: dict[Request, Reply | str] = {}
    failures = 0
    for request in requests:
        if failures >= _GIVE_UP_AFTER:
            replies[request] = "not asked: the server had stopped to answer"
            continue
        try:
            replies[request] = await browser.ask(request)
            failures = 0
        except Unobserved as missing:
            replies[request] = missing.reason
            failures += 1
    return replies


def walk_facts(replies: dict[Request, Reply | str]) -> WalkFacts:
    """Return the facts of a walk.

    Raises:
        Unobserved: nothing was answered.
    """
    if not any(isinstance(reply, Reply) for reply in replies.values()):
        raise Unobserved(next((str(reply) for reply in replies.values()), "nothing was asked"))
    return WalkFacts(replies)


@dataclass(frozen=True)
class Walk(Job[WalkFacts]):
    """Asks some paths, nothing of which signs in.

    Attributes:
        requests: In their order.
        follow: Where an answer to the first one sends to, on the same server, is asked next.
    """

    connections: ClassVar[int] = 14

    requests: tuple[Request, ...]
    follow: bool = True

    async def observe(self, target: Target, limits: Limits) -> WalkFacts:
        """Ask all.

        Raises:
            Unobserved: nothing was answered.
        """
        async with Browser(target, limits, self.connections) as browser:
            first = self.requests[:1]
            replies = await walk(browser, first)
            if self.follow and (landing := _landing(target, first[0], replies[first[0]])):
                replies |= await walk(browser, [landing])
            replies |= await walk(browser, self.requests[1:])
        return walk_facts(replies)


def _landing(target: Target, asked: Request, reply: Reply | str) -> Request | None:
    if isinstance(reply, str):
        return None
    origin = origin_of(target)
    url = reply.redirect_of(origin + asked.path)
    path = url.removeprefix(origin)
    return Request(path.partition("#")[0]) if path.startswith("/") and path != url else None


class WideWalk(Walk):
    """The same of a server in plain HTTP, where no connection is needed for TLS."""

    connections: ClassVar[int] = 20


@dataclass(frozen=True)
class PlainKnock(Job[Reply]):
    """Asks for the first page by plain HTTP on port 80 of a server that speaks HTTPS."""

    async def observe(self, target: Target, limits: Limits) -> Reply:
        """Ask.

        Raises:
            Unobserved: nobody answers there.
        """
        plain = Target(target.kind, target.name, target.host, 80)
        async with Browser(plain, limits, self.connections) as browser:
            return await browser.ask(Request("/"))
