"""The builtin broker with all that it takes to run, for tests; and one without TLS, for benches."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Literal

from seawall.broker.drivers.builtin import BuiltinBroker
from seawall.broker.drivers.builtin.transport import WANT_READ, WANT_WRITE, Transport
from seawall.broker.port import Endpoint, Sink
from seawall.model.installation import MqttSettings
from seawall.pki.contexts import mqtt_server_context
from seawall.pki.peers import Peer
from seawall.testing.broker_rig import Keys, LoopThread, RecordingSink

SETTINGS = MqttSettings(host="127.0.0.1", port=0)


class BuiltinRig:
    """A `broker_rig.BrokerRig` of the builtin driver, with devices ``a`` and ``b``."""

    acknowledgement: Literal["puback", "stored"] = "puback"

    def __init__(
        self, directory: Path, settings: MqttSettings = SETTINGS, **options: Callable[[], Any]
    ) -> None:
        self.sink = RecordingSink()
        self.loop = LoopThread()
        self.keys = Keys(directory)
        self.keys.device("a")
        self.keys.device("b")
        self.broker = BuiltinBroker(settings, self.context, self.sink, **options)
        self.endpoint: Endpoint

    def context(self, crl_pem: bytes) -> ssl.SSLContext:
        """Make the server's TLS context."""
        return mqtt_server_context(self.keys.keystore, crl_pem)

    def start(self) -> None:
        """See `broker_rig.BrokerRig`."""
        self.endpoint = self.loop.do(self.broker.start(self.keys.policy()))

    def apply(self) -> None:
        """See `broker_rig.BrokerRig`."""
        self.loop.do(self.broker.apply(self.keys.policy()))

    def publish(self, topic: str, payload: bytes) -> None:
        """See `broker_rig.BrokerRig`."""
        self.loop.do(self.broker.publish(topic, payload))

    def reconnect_ingest(self) -> None:
        """See `broker_rig.BrokerRig`: nothing stands between."""

    def stop(self) -> None:
        """See `broker_rig.BrokerRig`."""
        with contextlib.suppress(CancelledError):
            self.loop.do(self.broker.stop())
        self.loop.close()


class PlainTransport:
    """TCP without TLS. Whoever connects is believed to be ``identity``."""

    def __init__(self, sock: socket.socket, peer: Peer) -> None:
        self._sock = sock
        self._peer = peer

    def handshake(self) -> Peer | int | None:
        """See `transport.Transport`."""
        return self._peer

    def read_into(self, buffer: memoryview) -> int:
        """See `transport.Transport`."""
        try:
            return self._sock.recv_into(buffer)
        except BlockingIOError:
            return WANT_READ

    def write(self, data: bytes) -> int:
        """See `transport.Transport`."""
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return WANT_WRITE

    def finish(self) -> None:
        """See `transport.Transport`."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    def drain(self) -> bool:
        """See `transport.Transport`."""
        try:
            return not self._sock.recv(65_536)
        except BlockingIOError:
            return False

    def close(self) -> None:
        """See `transport.Transport`."""
        self._sock.close()


class PlainBroker(BuiltinBroker):
    """The builtin broker without TLS, to measure what TLS costs; no setting leads here.

    Args:
        settings: As `BuiltinBroker`.
        sink: As `BuiltinBroker`.
        identify: Gives the identity of the next connection.
    """

    def __init__(
        self, settings: MqttSettings, sink: Sink, identify: Callable[[], Peer], **options: Any
    ) -> None:
        super().__init__(settings, lambda _crl: ssl.create_default_context(), sink, **options)
        self._identify = identify

    def _wrap(self, sock: socket.socket) -> Transport:
        return PlainTransport(sock, self._identify())
