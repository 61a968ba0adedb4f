"""What was seen of a broker: plain facts, from which checks judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from seawall.wire.mqtt.codes import V5, ConnectReturn, ReasonCode

_OF_ITSELF: Final = frozenset(
    {
        ReasonCode.UNSPECIFIED,
        ReasonCode.MALFORMED,
        ReasonCode.PROTOCOL_ERROR,
        ReasonCode.IMPLEMENTATION_SPECIFIC,
        ReasonCode.UNSUPPORTED_VERSION,
        ReasonCode.SERVER_UNAVAILABLE,
        ReasonCode.SERVER_BUSY,
        ReasonCode.QUOTA_EXCEEDED,
        ReasonCode.USE_ANOTHER_SERVER,
        ReasonCode.SERVER_MOVED,
        ReasonCode.CONNECTION_RATE_EXCEEDED,
    }
)
"""Codes of CONNACK that say nothing of who asked (MQTT 5.0, 3.2.2.2)."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """How the broker answered CONNECT.

    Attributes:
        accepted: Whether we are in.
        version: Protocol level of the answer.
        code: Of CONNACK; None if none came.
        properties: Of CONNACK in MQTT 5.0, the numbers alone.
        refusal: Why there was no CONNACK: ``TLS alert ...`` or ``closed``.
    """

    accepted: bool
    version: int = V5
    code: int | None = None
    properties: tuple[tuple[int, int], ...] = ()
    refusal: str = ""

    @property
    def is_silent(self) -> bool:
        """Whether nothing was said of who we are: closed without a word, or too busy to ask."""
        if self.code is None:
            return not self.refusal.startswith("TLS")
        if self.version == V5:
            return self.code in _OF_ITSELF
        return self.code in {ConnectReturn.BAD_VERSION, ConnectReturn.UNAVAILABLE}

    @property
    def is_vague(self) -> bool:
        """Whether it may be TLS itself that failed, and not the want of a certificate."""
        return self.code is None and self.refusal.endswith("handshake failure")

    def number(self, name: int) -> int | None:
        """Return a property."""
        return dict(self.properties).get(name)

    @property
    def text(self) -> str:
        """Return the answer in words."""
        if self.code is None:
            return self.refusal
        return f"CONNACK {self.code}" if self.code < 0x80 else f"CONNACK 0x{self.code:02x}"


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came; the first `MAX_KEPT_BYTES` of its payload, which no repr shows."""

    topic: str
    payload: bytes
    retained: bool

    def __repr__(self) -> str:
        return f"Message({self.topic!r}, {len(self.payload)} bytes)"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client hears.

    Attributes:
        identity: Its name: the certificate's or the user's; empty: none.
        greeting: How it was let in.
        everything: Code of SUBACK for ``#``, None if there was none.
        system: The same for ``$SYS/#``.
        messages: What came.
        cut: Whether more came than was kept.
    """

    identity: str
    greeting: Greeting
    everything: int | None
    system: int | None
    messages: tuple[Message, ...]
    cut: bool

    @property
    def foreign(self) -> tuple[Message, ...]:
        """Messages of others: neither ``$SYS`` nor below a level with the own name."""
        return tuple(
            each
            for each in self.messages
            if not each.topic.startswith("$") and self.identity not in each.topic.split("/")
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One publication on a topic that is not one's own.

    Attributes:
        topic: Where.
        code: Of PUBACK; None: the broker closed the connection instead.
        version: In 3.1.1 a PUBACK says nothing.
        delivered: Whether it came back to a subscriber.
    """

    topic: str
    code: int | None
    version: int
    delivered: bool

    @property
    def is_granted(self) -> bool:
        """Whether it is proven that the topic can be written."""
        return self.delivered or (self.version == V5 and self.code is not None and self.code < 0x80)

    @property
    def is_denied(self) -> bool:
        """Whether it is proven that it cannot."""
        if self.delivered:
            return False
        return self.code is None or (self.version == V5 and self.code >= 0x80)

    @property
    def text(self) -> str:
        """The answer in words."""
        if self.code is None:
            return "the broker closed the connection"
        if self.version != V5:
            return "PUBACK (of 3.1.1: without a code)"
        return f"PUBACK {self.code}" + (" (not authorized)" if self.code == 0x87 else "")


@dataclass(frozen=True, slots=True)
class Foreign:
    """What an identity can do at topics of a device that it is not.

    Attributes:
        identity: Its name, empty if it has none.
        subscribed: Codes of SUBACK for the foreign filters; empty: the broker closed.
        own: Its publications.
        other: Publications of the second identity, on that one's topics, and whether
            the first identity got them. None: there is no second one.
        takes_large: Whether the broker waits for the rest of a packet of 16 MiB; None: the
            connection had ended before it could be asked.
    """

    identity: str
    subscribed: tuple[int, ...]
    own: tuple[Attempt, ...]
    other: tuple[Attempt, ...] | None
    takes_large: bool | None


@dataclass(frozen=True, slots=True)
class Takeover:
    """What happens when another identity comes with one's client id."""

    first: Greeting
    second: Greeting
    first_ended: bool
    code: int | None
    """Of DISCONNECT, if the broker sent one."""
