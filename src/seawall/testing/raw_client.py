"""A blocking MQTT client over TLS that says what it is told to, right or wrong, for tests."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from seawall.pki.contexts import client_context
from seawall.testing.broker_rig import BrokerRig, Identity
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode

TIMEOUT_S: Final = 10.0


class RawClient:
    """One connection; ``closed`` and ``next`` wait, at most `TIMEOUT_S`.

    Args:
        rig: Where to connect to.
        identity: Whose certificate to show; None: none.
        connect: What to send first; None: nothing is sent and nothing awaited.
        receive_buffer: Bytes that the kernel may keep for us; None: its own choice.
    """

    def __init__(
        self,
        rig: BrokerRig,
        identity: Identity | None,
        connect: p.Connect | None,
        *,
        receive_buffer: int | None = None,
    ) -> None:
        context = client_context(rig.keys.keystore.root_path)
        if identity is not None:
            context.load_cert_chain(identity.certificate, identity.key)
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(TIMEOUT_S)
        sock.connect(("127.0.0.1", rig.endpoint.port))
        self._sock: ssl.SSLSocket = context.wrap_socket(sock, server_hostname="localhost")
        self._version = connect.version if connect else 4
        self._decoder = Decoder(1 << 20, version=self._version)
        self._ready: list[p.Packet] = []
        self.connack: p.ConnAck | None = None
        if connect is not None:
            self.send(connect)
            answer = self.next()
            assert isinstance(answer, p.ConnAck), answer  # noqa: S101
            self.connack = answer

    @property
    def port(self) -> int:
        """Our own port."""
        return int(self._sock.getsockname()[1])

    def send(self, *things: p.Packet | bytes) -> None:
        """Send packets and bytes in one piece."""
        self._sock.sendall(
            b"".join(
                thing if isinstance(thing, bytes) else encode(thing, self._version)
                for thing in things
            )
        )

    def next(self) -> p.Packet | None:
        """Return the next packet; None if the server closes."""
        while not self._ready:
            try:
                data = self._sock.recv(65_536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._ready = self._decoder.feed(data)
        return self._ready.pop(0)

    def take(self, count: int) -> list[p.Packet | None]:
        """Return so many packets."""
        return [self.next() for _ in range(count)]

    def closed(self) -> bool:
        """Wait for the server to close; False if it sends something instead."""
        return self.next() is None

    def ping(self) -> bool:
        """Tell whether the connection still works."""
        self.send(p.PingReq())
        return isinstance(self.next(), p.PingResp)

    def quiet(self, seconds: float) -> bool:
        """Tell whether nothing comes for a time."""
        self._sock.settimeout(seconds)
        try:
            return self.next() is None
        except TimeoutError:
            return True
        finally:
            self._sock.settimeout(TIMEOUT_S)

    def vanish(self) -> None:
        """Close without a word."""
        self._sock.close()

    close = vanish
