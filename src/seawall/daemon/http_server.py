"""Serves the web application over HTTPS on the daemon's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from seawall.broker.listening import listening_error
from seawall.web.throttle import network_of

_log = logging.getLogger("seawall.web")

REQUEST_TIMEOUT_S: Final = 10.0
"""A request arrives whole within this time of its first byte, and the first of a connection
within this time of its handshake."""
HANDSHAKE_TIMEOUT_S: Final = 10.0
WRITE_TIMEOUT_MS: Final = 30_000
"""Who takes nothing of an answer for so long is let go."""
MAX_CONNECTIONS: Final = 1_000
MAX_CONNECTIONS_PER_NETWORK: Final = 700
"""More than live streams at a time (a proxy brings them all from one address)."""
_TOLD_EVERY_S: Final = 60.0


class Places:
    """Who has how many of the connections; a few senders must not take them all.

    Args:
        total: At most so many.
        per_network: At most so many of one sender.
    """

    def __init__(self, total: int, per_network: int) -> None:
        self._total = total
        self._per_network = per_network
        self._of_network: Counter[str] = Counter()
        self._told_at_s = -_TOLD_EVERY_S

    def take(self, network: str, now_s: float) -> bool:
        """Take a place; False if there is none for this sender.

        Args:
            network: Of the sender (`seawall.web.throttle.network_of`).
            now_s: Seconds of a monotonic clock.
        """
        total = self._of_network.total()
        if total < self._total and self._of_network[network] < self._per_network:
            self._of_network[network] += 1
            return True
        if now_s - self._told_at_s >= _TOLD_EVERY_S:
            self._told_at_s = now_s
            _log.warning(
                "connections are turned away: %d are open, %d of them from %s",
                total, self._of_network[network], network,
            )  # fmt: skip
        return False

    def give_back(self, network: str) -> None:
        """Give a place back."""
        self._of_network[network] -= 1
        if not self._of_network[network]:
            del self._of_network[network]


class _Protocol(H11Protocol):
    """Uvicorn's connection, with an end to waiting: it sets none for a request under way."""

    def __init__(self, *args: Any, places: Places, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._places = places
        self._network: str | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        network = network_of(self.client[0] if self.client else "")
        if not self._places.take(network, self.loop.time()):
            transport.abort()
            return
        self._network = network
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._got_request()
        if self._network is not None:
            self._places.give_back(self._network)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._expect_request()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            self._got_request()

    def _expect_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self.transport.abort)

    def _got_request(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: the daemon decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = asyncio.Event()
        self._places = Places(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_NETWORK)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, with a short patience for handshakes, and report it."""
        make = functools.partial(
            _Protocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            places=self._places,
        )
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                make,
                sock=each,
                ssl=self.config.ssl,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                ssl_shutdown_timeout=HANDSHAKE_TIMEOUT_S,
            )
            for each in sockets or ()
        ]
        self.started = True
        self.is_ready.set()


def bind_tcp(host: str, port: int, *, purpose: str) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        ServiceError: the port is taken, or needs privileges.
        ConfigurationError: the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it (tcp(7)); asyncio sets it only on sockets whose
        # protocol is named. Without it every second answer waits 40 ms for an ACK.
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound.bind((host, port))
        bound.listen(512)
    except OSError as error:
        bound.close()
        raise listening_error(host, port, error, purpose=purpose) from error
    bound.setblocking(False)
    return bound


class HttpServer:
    """An ASGI application behind TLS.

    Args:
        application: The ASGI application.
        context: Makes the TLS context; asked once at the start.
        host: Address to listen on.
        port: TCP port, 0: any free one.
    """

    def __init__(
        self, application: Any, context: Callable[[], ssl.SSLContext], host: str, port: int
    ) -> None:
        self._socket = bind_tcp(host, port, purpose="web")
        # Accepted connections inherit it (tcp(7)).
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, WRITE_TIMEOUT_MS)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application,
            ssl_context_factory=lambda _config, _default: context(),
            http=_Protocol,
            log_config=None,
            # Its warnings are written by strangers, a line for each bad request.
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            timeout_keep_alive=15,
            h11_max_incomplete_event_size=16_384,
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self._socket])

    async def wait_until_ready(self) -> None:
        """Return once connections are accepted."""
        await self._server.is_ready.wait()

    def stop(self) -> None:
        """Stop accepting; requests under way get a moment to end."""
        self._server.should_exit = True
