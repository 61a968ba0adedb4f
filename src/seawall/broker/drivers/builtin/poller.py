"""Readiness of many file descriptors, behind one descriptor of the event loop.

asyncio's transports cost several kilobytes and several microseconds an event;
``add_reader`` for each socket still costs a handle and a trip through the
loop's queue. One epoll nested in the loop's own costs neither: ready sockets
are served in a tight loop, which gives the rest of the program its turn after
`MAX_TURN_S`. Level-triggered readiness makes it fair: who is served goes to the
end of the kernel's list.
"""

from __future__ import annotations

import asyncio
import logging
import select
import time
from collections.abc import Callable
from typing import Final, Protocol

READ: Final = select.EPOLLIN
WRITE: Final = select.EPOLLOUT
BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
"""Reported always, asked for or not."""

MAX_TURN_S: Final = 0.005
_AT_ONCE: Final = 16

_log = logging.getLogger(__name__)


class Ready(Protocol):
    """Something that a descriptor belongs to."""

    def on_ready(self, mask: int) -> None:
        """Go on: the descriptor is readable, writable, or broken."""

    def on_fault(self) -> None:
        """Give up: `on_ready` raised something unforeseen, which is logged."""


class Poller:
    """Serves descriptors as they become ready.

    Args:
        after: Called after each turn, to pass on what was gathered.
    """

    def __init__(self, after: Callable[[], None]) -> None:
        self._after = after
        self._epoll = select.epoll()
        self._owners: dict[int, Ready] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin to serve on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._turn)

    def stop(self) -> None:
        """Serve nobody any more. Idempotent."""
        if self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._loop = None
        self._owners.clear()
        self._epoll.close()

    def add(self, fd: int, owner: Ready, mask: int) -> None:
        """Watch a descriptor."""
        self._epoll.register(fd, mask)
        self._owners[fd] = owner

    def change(self, fd: int, mask: int) -> None:
        """Watch it for something else; 0: for nothing but its breaking."""
        self._epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Stop watching it; before it is closed."""
        if self._owners.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def _turn(self) -> None:
        end = time.monotonic() + MAX_TURN_S
        owners = self._owners
        try:
            while not self._epoll.closed:
                ready = self._epoll.poll(0, _AT_ONCE)
                for fd, mask in ready:
                    owner = owners.get(fd)
                    if owner is not None:  # else removed by one served before it
                        self._serve(owner, mask)
                if len(ready) < _AT_ONCE or time.monotonic() >= end:
                    break
        finally:
            self._after()

    @staticmethod
    def _serve(owner: Ready, mask: int) -> None:
        try:
            owner.on_ready(mask)
        except Exception:  # one connection's trouble must not be another's
            _log.exception("a connection failed in an unforeseen way")
            owner.on_fault()
