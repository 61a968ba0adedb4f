"""The ports of the web side: what `daemon.assemble` hands to `app.create_app`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from seawall.errors import ServiceError
from seawall.ingest.presence import Presence
from seawall.model.command import QueuedCommand
from seawall.model.user import User
from seawall.operations.send_command import Order
from seawall.store.contract import Store
from seawall.web.rollouts import NoRollouts, Rollouts


class LiveEvents(Protocol):
    """One subscription: yields (event name, one line of JSON)."""

    def __aiter__(self) -> LiveEvents:
        """Return itself."""

    async def __anext__(self) -> tuple[str, bytes]:
        """Return the next event."""

    async def aclose(self) -> None:
        """Stop listening."""


class LiveFeed(Protocol):
    """What happens, as it happens (`ingest.feed.Feed`)."""

    def subscribe(self) -> LiveEvents:
        """Listen from now on; called on the event loop.

        Names are ``reading``, ``refusal``, ``presence`` and, when this
        subscriber was too slow and lost events, ``resync``.
        """


class Sample(NamedTuple):
    """One figure for `/metrics`; ``kind`` is ``counter`` or ``gauge``."""

    name: str
    kind: str
    explanation: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PublicFacts:
    """What the pages say about this installation.

    Attributes:
        version: Of Seawall.
        broker: Name of the broker driver.
        store: Name of the store driver.
        label: What people call this installation; may be empty.
        server_pins: SHA-256 of the server certificates that devices may pin, lower-case hex,
            the current one first.
    """

    version: str
    broker: str = "builtin"
    store: str = "sqlite"
    label: str = ""
    server_pins: tuple[str, ...] = ()


def _nobody() -> Mapping[str, Presence]:
    return {}


def _nothing_wrong() -> Sequence[str]:
    return ()


def _no_samples() -> Sequence[Sample]:
    return ()


def _no_count() -> int:
    return 0


def _no_audit() -> bytes | None:
    return None


def _no_commands(user_name: str, device_id: str, order: Order) -> QueuedCommand:
    raise ServiceError("commands cannot be sent from here", reference="no-commands")


def random_token() -> str:
    """Return a secret of 256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the web side asks of the rest. Callables may be called from any thread.

    Attributes:
        store: Readings, registry, events, users and sessions; blocking, so called on threads.
        feed: What happens, as it happens.
        check_password: Name and password to the user, or None. Blocking, and as slow
            for a name that does not exist as for a wrong password.
        now_ms: The clock, UTC milliseconds.
        presence: Devices that were heard of since the start, by id.
        stored_readings: How many readings were stored since the start; only grows.
        problems: What keeps the installation from being ready; empty if nothing does.
        send_command: Queues an order to a device on behalf of a user. Blocking.
        rollouts: Releases and roll-outs. Blocking.
        last_audit: The last audit of the installation, JSON; None: there was none. Blocking.
        samples: Further figures for `/metrics`.
        facts: What the pages say about this installation.
        new_token: Makes secrets.
    """

    store: Store
    feed: LiveFeed
    check_password: Callable[[str, str], User | None]
    now_ms: Callable[[], int]
    presence: Callable[[], Mapping[str, Presence]] = _nobody
    stored_readings: Callable[[], int] = _no_count
    problems: Callable[[], Sequence[str]] = _nothing_wrong
    samples: Callable[[], Sequence[Sample]] = _no_samples
    send_command: Callable[[str, str, Order], QueuedCommand] = _no_commands
    rollouts: Rollouts = field(default_factory=NoRollouts)
    last_audit: Callable[[], bytes | None] = _no_audit
    facts: PublicFacts = field(default_factory=lambda: PublicFacts(version="0"))
    new_token: Callable[[], str] = random_token
