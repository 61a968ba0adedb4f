"""What every broker driver offers, and what it needs from the rest.

Drivers: ``builtin`` (our own endpoint in this process), ``mosquitto`` (a
supervised process) and, later, ``external``. All bind the certificate's
identity to client id and topics. One contract suite judges them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from seawall.broker.policy import AccessPolicy
from seawall.model.message import Inbound
from seawall.model.reading import Refusal

Settled = Callable[[Sequence[Any]], None]
"""Called on the event loop with the tokens of messages that are durable now."""


class Sink(Protocol):
    """Where publications go; ingest implements it. Call on the event loop's thread only."""

    def submit(self, messages: Sequence[Inbound], settled: Settled) -> None:
        """Take messages in order; return at once.

        ``settled`` is called once for each message with a token, in order and
        in groups, when the message (or its refusal) is committed. If the store
        fails it is not called until a retry succeeds.
        """

    def refuse(self, refusal: Refusal) -> None:
        """Record a refused connection or packet."""

    @property
    def congested(self) -> bool:
        """Whether so much is waiting to be stored that drivers should stop reading."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker listens."""

    host: str
    port: int


class Publisher(Protocol):
    """Sends orders down to devices."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Hand a QoS 1 message over for delivery; kept for a sleeping device.

        Raises:
            ServiceError: if the broker cannot take it now.
        """


class Broker(Protocol):
    """A broker's life. All coroutines run on one event loop."""

    name: str
    acknowledgement: Literal["puback", "stored"]
    """What tells a device that its reading is stored: PUBACK, or a ``stored`` command."""

    async def start(self, policy: AccessPolicy) -> Endpoint:
        """Listen; return once devices can connect.

        Raises:
            ServiceError: a port is taken, a program is missing or ends at once.
        """

    async def apply(self, policy: AccessPolicy) -> None:
        """Enforce a new policy; return once it is: sessions that it forbids have ended."""

    async def run(self) -> None:
        """Serve, restarting what can be restarted, until cancelled.

        Raises:
            ServiceError: if it cannot go on.
        """

    async def stop(self) -> None:
        """Stop listening, end sessions, release everything. Idempotent."""
