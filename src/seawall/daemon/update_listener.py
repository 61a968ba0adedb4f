"""The devices' HTTPS endpoint for releases: mutual TLS, a port of its own.

uvicorn, which serves people, hands an application no client certificate; so
this is asyncio's TLS with h11, under the same rules as the broker: the same
server certificate, the same revocation list, the same registry.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall.broker.policy import AccessPolicy
from seawall.daemon.http_server import Places, bind_tcp
from seawall.daemon.update_connection import WRITE_TIMEOUT_S, UpdateConnection
from seawall.model.ids import is_device_id
from seawall.model.installation import UpdateSettings
from seawall.model.reading import Reason
from seawall.pki.peers import Peer
from seawall.store.refusal_filter import RefusalFilter
from seawall.web.throttle import network_of

_log = logging.getLogger("seawall.updates")

MAX_PER_DEVICE: Final = 4
"""A device that lost its radio leaves a connection behind; its oldest one goes."""
_EXHAUSTED_PAUSE_S: Final = 0.25


class UpdateListener:
    """Accepts devices and serves them the repository.

    Args:
        settings: Where to listen, and how many may come.
        root: The folder of updates.
        context: Makes a TLS context for a revocation list, PEM.
        policy: Who may connect.
        refusals: Where refusals go.
        now_s: The clock, seconds since 1970.
    """

    def __init__(
        self,
        settings: UpdateSettings,
        root: Path,
        *,
        context: Callable[[bytes], ssl.SSLContext],
        policy: AccessPolicy,
        refusals: RefusalFilter,
        now_s: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._root = root
        self._make_context = context
        self._policy = policy
        self._context: ssl.SSLContext | None = None
        self._refusals = refusals
        self._now_s = now_s
        self._places = Places(settings.max_connections, settings.max_connections_per_address)
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._of_device: dict[str, list[UpdateConnection]] = {}

    @property
    def port(self) -> int | None:
        """TCP port that is listened on; None before `bind`."""
        return None if self._socket is None else int(self._socket.getsockname()[1])

    def bind(self) -> int:
        """Take the port; return it.

        Raises:
            ServiceError: it is taken, or needs privileges.
            ConfigurationError: the address is not this machine's.
            KeyAccessError: a key cannot be used.
        """
        self._context = self._make_context(self._policy.crl_pem)
        bound = bind_tcp(self._settings.host, self._settings.port, purpose="updates")
        # Accepted connections inherit it (tcp(7)).
        patience_ms = int(WRITE_TIMEOUT_S * 1000)
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience_ms)
        self._socket = bound
        return int(bound.getsockname()[1])

    def apply(self, policy: AccessPolicy) -> None:
        """Enforce a new policy: connections that it forbids end now.

        Raises:
            KeyAccessError: a key cannot be used.
        """
        self._policy = policy
        if self._socket is None:
            return
        # Who may not stay goes first: that needs no key, which may be out of reach.
        for connections in list(self._of_device.values()):
            for connection in connections:
                if connection.peer is not None and self.judge(connection.peer) is not None:
                    connection.abort()
        self._context = self._make_context(policy.crl_pem)

    def admit(self, connection: UpdateConnection, peer: Peer) -> Reason | None:
        """See `update_connection.Judge`."""
        reason = self.judge(peer)
        if reason is None:
            mine = self._of_device.setdefault(peer.identity, [])
            mine.append(connection)
            if len(mine) > MAX_PER_DEVICE:
                mine[0].abort()
        return reason

    def judge(self, peer: Peer) -> Reason | None:
        """See `update_connection.Judge`."""
        if not is_device_id(peer.identity) or self._now_s() >= peer.expires_s:
            return Reason.UNKNOWN_DEVICE
        return self._policy.judge_connection(peer.identity, peer.serial)

    async def run(self) -> None:
        """Accept until cancelled. Call `bind` before."""
        assert self._socket is not None  # noqa: S101  the caller's fault
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(self._socket)
            except OSError as error:
                # No descriptors are left, or a connection was gone before it was accepted.
                _log.warning("cannot accept connections: %s", error.strerror)
                await asyncio.sleep(_EXHAUSTED_PAUSE_S)
                continue
            self._receive(sock, str(address[0]), int(address[1]))

    def _receive(self, sock: socket.socket, address: str, port: int) -> None:
        network = network_of(address)
        if self._context is None or not self._places.take(
            network, asyncio.get_running_loop().time()
        ):
            sock.close()
            return
        peer_name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        task = asyncio.create_task(self._serve(sock, peer_name, network, self._context))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(
        self, sock: socket.socket, peer_name: str, network: str, context: ssl.SSLContext
    ) -> None:
        connection = UpdateConnection(self._root, sock, peer_name, self, self._refusals)
        try:
            await connection.serve(context)
        except Exception:
            _log.exception("a connection of the update endpoint failed")
        finally:
            self._places.give_back(network)
            self._forget(connection)

    def _forget(self, connection: UpdateConnection) -> None:
        identity = "" if connection.peer is None else connection.peer.identity
        mine = self._of_device.get(identity, [])
        if connection in mine:
            mine.remove(connection)
        if not mine:
            self._of_device.pop(identity, None)

    async def stop(self) -> None:
        """Stop listening and end all connections. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
