"""Ingest's client at a broker that is not our own: connects, and connects again, for ever."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from seawall.errors import ServiceError
from seawall.ingest.link import BrokerAddress, open_link
from seawall.ingest.resending import Resending
from seawall.ingest.subscription import Sink, Subscription
from seawall.model.topics import UPWARD
from seawall.wire.mqtt.packets import Connect

_LOG: Final = logging.getLogger("seawall.subscriber")

CLIENT_ID: Final = "@ingest"
"""The common name of the service's certificate too: brokers bind the one to the other."""
FILTERS: Final = tuple(sorted(f"devices/+/{channel.value}" for channel in UPWARD))

_FIRST_DELAY_S: Final = 0.1
_LONGEST_DELAY_S: Final = 2.0
_WARN_EVERY_S: Final = 30.0
_CONNECT_S: Final = 10.0
_PUBLISH_S: Final = 10.0


class Subscriber:
    """Receives all that devices publish, acknowledges what is stored, and publishes orders.

    Args:
        address: Where the broker is.
        sink: Takes the messages.
        client_id: Stable: the broker keeps the session of this name while we are away.
        filters: Topic filters; with a ``$share/GROUP/`` prefix several share the work.
        keep_alive_s: MQTT keep-alive, seconds.
        now_ms: The clock, UTC milliseconds.
    """

    def __init__(
        self,
        address: BrokerAddress,
        sink: Sink,
        *,
        client_id: str = CLIENT_ID,
        filters: Sequence[str] = FILTERS,
        keep_alive_s: int = 30,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.resending = Resending()
        """Tell it of accepted readings: ``resending.accepted(batch.readings)``."""
        self._address = address
        self._sink = sink
        self._filters = tuple(filters)
        self._now_ms = now_ms
        self._connect = Connect(client_id, clean_start=False, keep_alive_s=keep_alive_s)
        self._subscription: Subscription | None = None
        self._ready = asyncio.Event()
        self._proven = False

    @property
    def connected(self) -> bool:
        """Whether messages are known to arrive now."""
        return self._ready.is_set()

    async def wait_connected(self) -> None:
        """Return once messages are known to arrive."""
        await self._ready.wait()

    async def run(self) -> None:
        """Serve until cancelled. Never gives up: brokers come back."""
        failures = 0
        warned_at = float("-inf")
        while True:
            self._proven = False
            try:
                reason = await self._serve()
            except ServiceError as error:
                reason = str(error)
            failures = 0 if self._proven else failures + 1
            delay = min(_FIRST_DELAY_S * 2 ** min(failures, 20), _LONGEST_DELAY_S)
            # Half of it by chance, so that many workers do not come back at once.
            delay *= 0.5 + random.random() / 2  # noqa: S311  no secret
            now = time.monotonic()
            again = failures > 1 and now - warned_at < _WARN_EVERY_S
            warned_at = warned_at if again else now
            level = logging.DEBUG if again else logging.WARNING
            _LOG.log(level, "%s; trying again in %.1f s", reason, delay)
            await asyncio.sleep(delay)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a QoS 1 message to the broker; return when it has it.

        Raises:
            ServiceError: it is not connected, was lost meanwhile, or does not answer.
        """
        subscription = self._subscription
        if subscription is None or not self.connected:
            raise ServiceError(
                f"the broker at {self._address} is not connected now",
                reference="broker-unreachable",
                hint="it is tried again by itself",
            )
        try:
            await asyncio.wait_for(subscription.publish(topic, payload, retain=retain), _PUBLISH_S)
        except TimeoutError as error:
            raise ServiceError(
                f"the broker at {self._address} did not acknowledge within {_PUBLISH_S:g} s",
                reference="broker-silent",
            ) from error

    async def _serve(self) -> str:
        """Serve one connection; return why it ended."""
        link = await open_link(self._address, _CONNECT_S)
        subscription = Subscription(
            link,
            self._connect,
            self._filters,
            self._sink,
            resending=self.resending,
            now_ms=self._now_ms,
        )
        self._subscription = subscription
        try:
            subscription.begin()
            ends: set[asyncio.Future[Any]] = {subscription.proven, subscription.lost}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if subscription.proven.done():
                self._proven = True
                self._ready.set()
                _LOG.info(
                    "connected to the broker at %s, %s",
                    self._address,
                    "to our session" if subscription.session_present else "with a new session",
                )
            return f"the broker at {self._address}: {await subscription.lost}"
        finally:
            self._ready.clear()
            self._subscription = None
            subscription.close()
