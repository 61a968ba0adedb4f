"""The door: accepts connections, counts them, and decides who must leave when it is full.

Who has not finished CONNECT leaves first, the oldest first. So sockets that
are opened and left alone lock nobody out, however many: a device that does
connect needs its place for milliseconds only.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import resource
import socket
from collections.abc import Callable
from typing import Final, Protocol

from seawall.broker.drivers.builtin.link import Link
from seawall.broker.drivers.builtin.poller import READ, Poller
from seawall.broker.listening import listening_error
from seawall.errors import ServiceError

BACKLOG: Final = 4_096
ACCEPTS_A_TURN: Final = 16
MAX_HALF_OPEN: Final = 4_096
"""Connections without an accepted CONNECT, whatever else is free."""
RESERVED_DESCRIPTORS: Final = 256
"""For the store, the web server, logs, and so on."""
EXHAUSTED_PAUSE_S: Final = 0.25

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger(__name__)


def source_of(address: str) -> str:
    """Return whom an address counts for: with IPv6 a whole /64, for a host has all of it."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


class Host(Protocol):
    """What the door needs of the endpoint."""

    poller: Poller

    def welcome(self, sock: socket.socket, address: str, peer: str) -> Link | None:
        """Make a link of an accepted socket; None if it is gone already."""

    def turn_away(self, address: str, peer: str, detail: str) -> None:
        """Note that a connection was closed unheard."""

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call on the event loop after a time."""


class Reception:
    """Accepts and counts.

    Args:
        host: The endpoint.
        max_connections: At most so many, if the process may have as many descriptors.
        max_per_address: At most so many from one address.
    """

    def __init__(self, host: Host, max_connections: int, max_per_address: int) -> None:
        self._host = host
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._listener: socket.socket | None = None
        self._links: set[Link] = set()
        # Insertion order is order of age.
        self._half_open: dict[Link, None] = {}
        self._finishing: dict[Link, None] = {}
        self._by_address: dict[str, int] = {}

    @property
    def links(self) -> set[Link]:
        """All connections, whatever their stage."""
        return self._links

    def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen; return the address and port.

        Raises:
            ServiceError: the port is taken.
            ConfigurationError: the address is none of this machine's.
        """
        self._raise_descriptor_limit()
        try:
            found = socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, address = found[0]
            listener = socket.socket(family, kind, protocol)
        except OSError as error:
            raise listening_error(host, port, error) from error
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setblocking(False)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            raise listening_error(host, port, error) from error
        self._listener = listener
        self._host.poller.add(listener.fileno(), self, READ)
        name = listener.getsockname()
        return name[0], name[1]

    def close(self) -> None:
        """Accept nobody any more. Idempotent."""
        if self._listener is not None:
            self._host.poller.remove(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def on_ready(self, _mask: int) -> None:
        """See `poller.Ready`."""
        for _ in range(ACCEPTS_A_TURN):
            if self._listener is None:
                return
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._make_room(error)
                    return
                continue  # a connection that was gone before it was accepted
            self._receive(sock, str(address[0]), int(address[1]))

    def on_fault(self) -> None:
        """See `poller.Ready`: the listener stays, whatever one connection did."""

    def forget(self, link: Link) -> None:
        """Give a place free."""
        if link not in self._links:
            return
        self._links.discard(link)
        self._half_open.pop(link, None)
        self._finishing.pop(link, None)
        count = self._by_address[link.address] - 1
        if count:
            self._by_address[link.address] = count
        else:
            del self._by_address[link.address]

    def seat(self, link: Link) -> None:
        """Note that CONNECT was accepted."""
        self._half_open.pop(link, None)

    def show_out(self, link: Link) -> None:
        """Note that only its last bytes are on their way."""
        self._half_open.pop(link, None)
        self._finishing[link] = None

    def overdue(self, now: float) -> list[Link]:
        """Return the links that have used up their time for CONNECT or for leaving."""
        late = []
        for waiting in (self._half_open, self._finishing):
            for link in waiting:
                if link.deadline > now:
                    break
                late.append(link)
        return late

    def _receive(self, sock: socket.socket, address: str, port: int) -> None:
        peer = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        address = source_of(address)
        if not self._has_room(address):
            sock.close()
            self._host.turn_away(address, peer, "too many connections")
            return
        link = self._host.welcome(sock, address, peer)
        if link is not None:
            self._links.add(link)
            self._half_open[link] = None
            self._by_address[address] = self._by_address.get(address, 0) + 1

    def _has_room(self, address: str) -> bool:
        """Make room by the rule above; False if there is none."""
        if self._by_address.get(address, 0) >= self._max_per_address and not self._reap(address):
            return False
        if len(self._half_open) >= MAX_HALF_OPEN:
            self._reap()
        return len(self._links) < self._max_connections or self._reap()

    def _reap(self, address: str | None = None) -> bool:
        """Close the oldest link that is not connected, of one address or of any."""
        for waiting in (self._finishing, self._half_open):
            for link in waiting:
                if address is None or link.address == address:
                    link.close()
                    return True
        return False

    def _make_room(self, error: OSError) -> None:
        """No descriptors are left: free one, and wait before the next try."""
        self._reap()
        _log.warning("cannot accept connections: %s", error.strerror)
        if self._listener is None:
            return
        # Level-triggered readiness of a listener that cannot accept would spin.
        self._host.poller.change(self._listener.fileno(), 0)
        self._host.later(EXHAUSTED_PAUSE_S, self._accept_again)

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._host.poller.change(self._listener.fileno(), READ)

    def _raise_descriptor_limit(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self._max_connections + RESERVED_DESCRIPTORS
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        granted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (granted, hard))
        except (OSError, ValueError):
            granted = soft
        possible = granted - RESERVED_DESCRIPTORS
        if possible < 16:
            raise ServiceError(
                f"the process may open {granted} files, which leaves no room for connections",
                reference="too-few-descriptors",
                hint=f"raise the limit: ulimit -n {wanted}, or LimitNOFILE={wanted}",
            )
        if possible < self._max_connections:
            _log.log(
                logging.WARNING if possible < 1_000 else logging.INFO,
                "at most %d connections at a time: the process may open %d files "
                "(raise the limit to %d for %d)",
                possible,
                granted,
                wanted,
                self._max_connections,
            )
            self._max_connections = possible
