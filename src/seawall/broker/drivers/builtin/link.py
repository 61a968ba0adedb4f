"""One connection: its socket, its TLS, its machine, and nothing of anybody else.

Stages: ``handshake``, ``connect`` (TLS is done, CONNECT is awaited), ``open``,
``finishing`` (the last bytes are on their way; what still comes is thrown away,
or the peer would get a reset instead of our last packet) and ``closed``.
"""

from __future__ import annotations

import ssl
from typing import Final, Protocol

from seawall.broker.drivers.builtin.poller import BROKEN, READ, WRITE, Poller
from seawall.broker.drivers.builtin.transport import WANT_READ, WANT_WRITE, Transport
from seawall.pki.peers import Peer
from seawall.wire.mqtt.events import Event
from seawall.wire.mqtt.server import ServerConnection

RECORD_BYTES: Final = 16_384
"""Largest TLS record (RFC 8446, 5.1)."""
READ_BYTES: Final = 65_536
"""A connection has its turn until so much was read."""
MAX_UNSENT_BYTES: Final = 262_144
"""A reader so slow that more waits for it is dropped."""


class SlowReaderError(OSError):
    """A client takes its messages more slowly than they come."""


class Owner(Protocol):
    """What a link needs of the endpoint."""

    buffer: memoryview
    """Scratch of at least `READ_BYTES` + `RECORD_BYTES`; links read one after the other."""
    poller: Poller

    @property
    def congested(self) -> bool:
        """Whether nothing is to be read."""

    def pause(self, link: Link) -> None:
        """Pause a link until there is room again."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def proven(self, link: Link) -> None:
        """The handshake is done."""

    def handle(self, link: Link, events: list[Event]) -> None:
        """Act on what the machine says."""

    def lost(self, link: Link, error: OSError | None) -> None:
        """The connection has ended without a word; `Link.close` follows, or `finish`."""

    def finishing(self, link: Link) -> None:
        """The connection is over but for its last bytes."""

    def closed(self, link: Link) -> None:
        """The descriptor is free."""


class Link:
    """One connection.

    Args:
        owner: The endpoint.
        fd: The socket's descriptor.
        transport: The stream.
        machine: The protocol.
        address: Of the peer, without its port.
        peer: Of the peer, ``host:port``.
        deadline: When CONNECT must be accepted, monotonic seconds.
    """

    __slots__ = (
        "_fd",
        "_mask",
        "_owner",
        "_transport",
        "_unsent",
        "address",
        "deadline",
        "echo",
        "identity",
        "machine",
        "paused",
        "peer",
        "proof",
        "stage",
        "stalled_since",
    )

    def __init__(
        self,
        owner: Owner,
        fd: int,
        transport: Transport,
        machine: ServerConnection,
        *,
        address: str,
        peer: str,
        deadline: float,
    ) -> None:
        self._owner = owner
        self._fd = fd
        self._transport = transport
        self._unsent = b""
        self._mask = READ
        self.machine = machine
        self.address = address
        self.peer = peer
        self.deadline = deadline
        self.stage = "handshake"
        self.identity = ""
        """Of the certificate, once CONNECT was accepted."""
        self.proof: Peer | None = None
        self.echo = False
        """Whether the client listens to what it sends."""
        self.paused = False
        """Whether nothing is read, because too much waits to be stored."""
        self.stalled_since = 0.0
        """Since when the client takes nothing, monotonic seconds; 0: it does."""
        owner.poller.add(fd, self, READ)

    def on_ready(self, mask: int) -> None:
        """See `poller.Ready`."""
        try:
            self._go_on(mask)
        except OSError as error:
            self._lose(error)

    def on_fault(self) -> None:
        """See `poller.Ready`."""
        try:
            self._owner.lost(self, None)
        finally:
            self.close()

    def acknowledge(self, packet_ids: list[int]) -> None:
        """Acknowledge QoS 1 publications."""
        self.machine.acknowledge(packet_ids)
        self.send()

    def send(self) -> None:
        """Send what the machine has, or as much as the client takes now."""
        if self.stage == "closed":
            return
        try:
            self._send()
        except OSError as error:
            self._lose(error)

    def finish(self) -> None:
        """Send the last bytes, then close when the client has seen them."""
        if self.stage in {"finishing", "closed"}:
            return
        self.stage = "finishing"
        self._owner.finishing(self)
        self.send()
        if self._is_finishing() and not self._unsent:
            self._transport.finish()
        self._watch()

    def _is_finishing(self) -> bool:
        return self.stage == "finishing"

    def pause(self) -> None:
        """Read nothing for now."""
        self.paused = True
        self._watch()

    def resume(self) -> None:
        """Read again; the silence was ours."""
        if self.paused:
            self.paused = False
            self.machine.excuse(self._owner.now())
            self._watch()

    def close(self) -> None:
        """Close at once. Idempotent."""
        if self.stage == "closed":
            return
        self.stage = "closed"
        self._owner.poller.remove(self._fd)
        self._unsent = b""
        self._transport.close()
        self._owner.closed(self)

    def _go_on(self, mask: int) -> None:
        stage = self.stage
        if stage == "open":
            if mask & WRITE:
                self._send()
            # A broken socket shows by reading from it.
            if mask & ~WRITE and self.stage == "open":
                self._receive_or_pause(mask)
        elif stage == "handshake":
            self._shake_hands()
        elif stage == "connect":
            self._receive()
        elif stage == "finishing":
            self._go_on_finishing(mask)

    def _receive_or_pause(self, mask: int) -> None:
        if not (self._owner.congested or self.machine.saturated):
            self._receive()
        elif mask & BROKEN:
            # Readiness of a broken socket cannot be switched off; what it had sent and is
            # not read was not acknowledged either.
            self._lose(None)
        else:
            self._owner.pause(self)

    def _go_on_finishing(self, mask: int) -> None:
        if mask & WRITE:
            self._send()
            if not self._unsent:
                self._transport.finish()
        if mask & ~WRITE and self._transport.drain():
            self.close()

    def _shake_hands(self) -> None:
        peer = self._transport.handshake()
        if isinstance(peer, int):
            self._want(READ if peer == WANT_READ else WRITE)
            return
        self._want(READ)
        self.proof = peer
        self.stage = "connect"
        self._owner.proven(self)
        if self.stage == "connect":
            self._receive()  # CONNECT may have come with the client's last flight

    def _receive(self) -> None:
        buffer = self._owner.buffer
        read = self._transport.read_into
        filled = 0
        while True:
            count = read(buffer[filled : filled + RECORD_BYTES])
            if count > 0:
                filled += count
                # A smaller record is likely the last one; asking costs more than waiting.
                if count == RECORD_BYTES and filled < READ_BYTES:
                    continue
            break
        if filled:
            events = self.machine.receive_data(bytes(buffer[:filled]), self._owner.now())
            if events:
                self._owner.handle(self, events)
            if self.stage != "closed":
                self._send()
        if count == 0:
            self._lose(None)
        elif count == WANT_WRITE:
            self._want(READ | WRITE)

    def _send(self) -> None:
        machine = self.machine
        while True:
            data = machine.data_to_send()
            if self._unsent:
                data = self._unsent + data
                self._unsent = b""
            if not data:
                break
            if not self._write(data):
                return
            machine.pump()
        if self._mask & WRITE:
            self._watch()

    def _write(self, data: bytes) -> bool:
        """Write as much as goes; True if that is all."""
        if self.stage == "handshake":
            return True
        sent = 0
        while sent < len(data):
            count = self._transport.write(data[sent:] if sent else data)
            if count < 0:
                self._keep(data[sent:], moved=sent > 0)
                return False
            sent += count
        self.stalled_since = 0.0
        return True

    def _keep(self, rest: bytes, *, moved: bool) -> None:
        self._unsent = rest
        if moved or not self.stalled_since:
            self.stalled_since = self._owner.now()
        if len(rest) > MAX_UNSENT_BYTES:
            raise SlowReaderError(f"{len(rest)} bytes wait for a client that does not read")
        self._watch()

    def _watch(self) -> None:
        mask = WRITE if self._unsent else 0
        if not self.paused or self.stage != "open":
            mask |= READ
        self._want(mask)

    def _want(self, mask: int) -> None:
        if mask != self._mask and self.stage != "closed":
            self._mask = mask
            self._owner.poller.change(self._fd, mask)

    def _lose(self, error: OSError | None) -> None:
        if self.stage == "closed":
            return
        refused = self.stage == "handshake" and isinstance(error, ssl.SSLError)
        self._owner.lost(self, error)
        if refused:
            self.finish()  # so that our alert arrives
        else:
            self.close()
