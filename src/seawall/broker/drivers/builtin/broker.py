"""The driver ``builtin``: our own MQTT endpoint for devices, in this process.

It ends mutual TLS itself, so it knows of every message which certificate
sent it, and it acknowledges a message when it is durable: no broker in between
can promise either.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Literal

from seawall.broker.drivers.builtin.endpoint import Endpoint
from seawall.broker.drivers.builtin.hub import paused_devices
from seawall.broker.drivers.builtin.transport import TlsTransport, Transport
from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Endpoint as Address
from seawall.broker.port import Sink
from seawall.errors import ServiceError
from seawall.model.installation import MqttSettings
from seawall.model.topics import Channel, parse_topic

MAX_COMMAND_BYTES: Final = 8_192


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class BuiltinBroker:
    """See `broker.port.Broker` and `broker.port.Publisher`.

    Args:
        settings: Where to listen, and limits.
        context_factory: Makes the TLS context from a revocation list, PEM.
        sink: Takes publications and refusals.
        clock: Monotonic seconds.
        now_ms: UTC milliseconds.
    """

    name = "builtin"
    acknowledgement: Literal["puback", "stored"] = "puback"

    def __init__(
        self,
        settings: MqttSettings,
        context_factory: Callable[[bytes], ssl.SSLContext],
        sink: Sink,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._settings = settings
        self._context_factory = context_factory
        self._context: ssl.SSLContext | None = None
        self._endpoint = Endpoint(settings, sink, self._wrap, clock=clock, now_ms=now_ms)
        self._stopped = asyncio.Event()

    async def start(self, policy: AccessPolicy) -> Address:
        """See `broker.port.Broker`."""
        endpoint = self._endpoint
        try:
            await self.apply(policy)
            host, port = endpoint.reception.open(self._settings.host, self._settings.port)
        except BaseException:
            endpoint.stop()
            raise
        endpoint.start()
        return Address(host, port)

    async def apply(self, policy: AccessPolicy) -> None:
        """See `broker.port.Broker`."""
        self._context = self._context_factory(policy.crl_pem)
        self._endpoint.enforce(policy)

    async def run(self) -> None:
        """See `broker.port.Broker`."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """See `broker.port.Broker`."""
        self._endpoint.stop()
        self._stopped.set()

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """See `broker.port.Publisher`.

        The order is sent at once if the device is connected and has subscribed,
        else kept, in memory, until it is (`wire.mqtt.session.MAX_COMMANDS` at
        most), and repeated on each connection until the device acknowledges it.
        So ``retain`` adds nothing and is not needed.

        Raises:
            ServiceError: the topic is no such device's, too many orders wait
                for it, or the order is too long.
        """
        parsed = parse_topic(topic)
        if parsed is None or parsed.channel is not Channel.COMMANDS:
            raise ServiceError(
                f"{topic!r} is not the command topic of a device", reference="wrong-topic"
            )
        policy = self._endpoint.policy
        if parsed.device_id not in policy.active.keys() | paused_devices(policy):
            raise ServiceError(
                f"device {parsed.device_id} is unknown or revoked: it would never get the order",
                reference="device-not-active",
            )
        if len(payload) > MAX_COMMAND_BYTES:
            raise ServiceError(
                f"an order of {len(payload)} bytes is longer than {MAX_COMMAND_BYTES}",
                reference="command-too-long",
            )
        if not self._endpoint.command(parsed.device_id, topic, payload):
            raise ServiceError(
                f"too many orders wait for device {parsed.device_id} already",
                reference="command-queue-full",
                hint="wait until it connects, or find out why it does not",
            )

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return self._endpoint.connected

    def _wrap(self, sock: socket.socket) -> Transport:
        if self._context is None:
            raise OSError("no TLS context")
        return TlsTransport(self._context, sock)
