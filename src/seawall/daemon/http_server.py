"""Serves the web application over HTTPS on the daemon's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from seawall.errors import ServiceError

_log = logging.getLogger("seawall.web")


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling: the daemon decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the process's signal handlers alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Report when connections are accepted."""
        await super().startup(sockets)
        self.is_ready.set()


def bind_tcp(host: str, port: int, *, purpose: str) -> socket.socket:
    """Return a listening TCP socket.

    Raises:
        ServiceError: the address is not this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(512)
    except OSError as error:
        bound.close()
        raise ServiceError(
            f"{purpose} cannot listen on {host} port {port}: {error.strerror}",
            reference="port-unavailable",
            hint="stop what uses the port ('ss -ltnp' names it), or set another in seawall.toml",
        ) from error
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
        self._socket = bind_tcp(host, port, purpose="the web side")
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            application,
            ssl_context_factory=lambda _config, _default: context(),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            # A reader that stops in the middle of a request is let go.
            timeout_keep_alive=15,
            h11_max_incomplete_event_size=16_384,
            limit_concurrency=1_000,
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
