"""What the audit does to a broker, job by job.

Nothing is published on a topic of a real device: topics are made up below
``devices/seawall-audit-NONCE``; the second identity, which is made for auditing,
uses its own. Nothing is retained, and no session outlives its connection.

``connections`` counts twice what is usual: a broker that knows 3.1.1 alone, or wants
client ids, is called again. Default passwords are tried in one version alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.mqtt_facts import Attempt, Foreign, Greeting, Heard, Message, Takeover
from seawall.audit.probes.mqtt_dial import Asking, Refused
from seawall.audit.probes.mqtt_link import (
    Link,
    Who,
    access_of,
    open_link,
    turns,
)
from seawall.audit.target import Access, Target
from seawall.errors import SeawallError
from seawall.pki.certificates import load_certificate
from seawall.wire.mqtt.codes import Property, ReasonCode
from seawall.wire.mqtt.fields import encode_variable

LISTEN_S: Final = 0.8
"""How long to wait for messages of others; what is retained comes at once."""
QUIET_S: Final = 0.25
"""How long an own message may be on its way back."""
MAX_MESSAGES: Final = 200
"""More prove no more."""
MAX_KEPT_BYTES: Final = 16_384
"""Of a payload."""
LARGE_BYTES: Final = 16 << 20
"""What is announced, never sent, to see whether a broker would take it."""

DEFAULT_CREDENTIALS: Final = (
    ("admin", "admin"),
    ("admin", "public"),
    ("guest", "guest"),
    ("mqtt", "mqtt"),
    ("test", "test"),
)
"""Of EMQX, HiveMQ, RabbitMQ and of tutorials. Never more than five."""


class Guess(StrEnum):
    """Which password to try."""

    WRONG = "wrong password"
    """For the user whom the audit was given."""
    NOBODY = "unknown user"


@dataclass(frozen=True)
class Knock(Job[Greeting]):
    """Connects, and leaves."""

    connections: ClassVar[int] = 2
    who: Who = Who.ANYBODY

    async def observe(self, target: Target, limits: Limits) -> Greeting:
        """Return the answer to CONNECT; a refusal is one."""
        return await _greeting(target, Asking(access_of(target, self.who)), limits)


@dataclass(frozen=True)
class Listen(Job[Heard]):
    """Subscribes to ``#`` and ``$SYS/#`` for a moment."""

    connections: ClassVar[int] = 2
    who: Who = Who.OWN

    async def observe(self, target: Target, limits: Limits) -> Heard:
        """Return what came."""
        access = access_of(target, self.who)
        async with _entered(target, access, limits) as link:
            await link.prove_alive()
            codes = tuple([await _code(link, each) for each in ("#", "$SYS/#")])
            was_heard = link.lost is None
            await link.collect(LISTEN_S, MAX_MESSAGES)
            if was_heard:
                _must_live(link)
            kept = tuple(
                Message(each.topic, each.payload[:MAX_KEPT_BYTES], bool(each.retain))
                for each in link.messages[:MAX_MESSAGES]
            )
            cut = len(link.messages) >= MAX_MESSAGES
            return Heard(identity_of(access), link.greeting, codes[0], codes[1], kept, cut)


@dataclass(frozen=True)
class TryForeign(Job[Foreign]):
    """Publishes and subscribes where another device would.

    With a second identity, that one publishes on topics of its own while the first listens.
    """

    connections: ClassVar[int] = 6

    async def observe(self, target: Target, limits: Limits) -> Foreign:
        """Return what was granted and what came."""
        access = target.access
        other = None if access.other is None else access_of(target, Who.OTHER)
        base = f"devices/seawall-audit-{limits.nonce}"
        filters = [f"{base}/#"]
        if other is not None and identity_of(other):
            filters.append(f"devices/{identity_of(other)}/#")
        theirs = None
        async with _entered(target, access, limits) as link:
            await link.prove_alive()
            codes = await link.subscribe(*filters, qos=1)
            own = await _publish(link, [f"{base}/commands", f"{base}/readings"], limits)
            if other is not None and link.lost is None:
                theirs = await _hear_other(target, link, (base, other), limits)
            large = await _announce_large(link, f"{base}/readings")
        if other is not None and theirs is None:
            async with _entered(target, access, limits) as link:
                await link.subscribe(*filters, qos=1)
                theirs = await _hear_other(target, link, (base, other), limits)
        return Foreign(identity_of(access), codes, own, theirs, large)


@dataclass(frozen=True)
class TakeOver(Job[Takeover]):
    """Connects as the first identity, then as the second with the same client id."""

    connections: ClassVar[int] = 4

    async def observe(self, target: Target, limits: Limits) -> Takeover:
        """Return how the broker took it."""
        other = access_of(target, Who.OTHER)
        client_id = f"seawall-audit-{limits.nonce}"[:23]
        try:
            return await self._try(target, other, client_id, limits)
        except Refused as refused:
            # Where the id has to be the identity's name, that one is tried.
            own = identity_of(target.access)
            if refused.greeting.code is None or not own:
                raise Unobserved(f"the first identity is refused: {refused}") from None
        try:
            return await self._try(target, other, own, limits)
        except Refused as refused:
            raise Unobserved(f"the first identity is refused: {refused}") from None

    async def _try(self, target: Target, other: Access, client_id: str, limits: Limits) -> Takeover:
        async with (
            turns.of(target, target.access),
            open_link(target, Asking(target.access, client_id), limits) as link,
        ):
            second = await _greeting(target, Asking(other, client_id), limits)
            lost = await link.ended(QUIET_S)
            code = lost.code if lost is not None else None
            return Takeover(link.greeting, second, lost is not None, code)


@dataclass(frozen=True)
class TryPassword(Job[Greeting]):
    """Signs in with a password that must be wrong, without a client certificate."""

    connections: ClassVar[int] = 2
    guess: Guess

    async def observe(self, target: Target, limits: Limits) -> Greeting:
        """Return the answer."""
        made_up = f"seawall-audit-{limits.nonce}"
        known = target.access.username or made_up
        name = known if self.guess is Guess.WRONG else f"{made_up}-{len(made_up)}"
        access = access_of(target, Who.ANYBODY)
        return await _greeting(target, Asking(access, "", name, made_up), limits)


@dataclass(frozen=True)
class TryDefault(Job[Greeting]):
    """Signs in with one of `DEFAULT_CREDENTIALS`."""

    number: int

    async def observe(self, target: Target, limits: Limits) -> Greeting:
        """Return the answer."""
        name, word = DEFAULT_CREDENTIALS[self.number]
        access = access_of(target, Who.ANYBODY)
        return await _greeting(target, Asking(access, "", name, word), limits)


def identity_of(access: Access) -> str:
    """Return the name that a broker knows an identity by, empty if it has none.

    Raises:
        Unobserved: its certificate cannot be read.
    """
    if access.cert is None:
        return access.username or ""
    try:
        subject = load_certificate(access.cert).subject
    except SeawallError as error:
        raise Unobserved(str(error)) from error
    names = [str(each.value) for each in subject if each.rfc4514_attribute_name == "CN"]
    return names[0] if names and not set(names[0]) & set("+#/") else ""


async def _greeting(target: Target, asking: Asking, limits: Limits) -> Greeting:
    try:
        async with open_link(target, asking, limits) as link:
            return link.greeting
    except Refused as refused:
        return refused.greeting


@asynccontextmanager
async def _entered(target: Target, access: Access, limits: Limits) -> AsyncIterator[Link]:
    """`open_link` in the identity's turn, where a refusal means that there is nothing to see."""
    is_in = False
    try:
        async with (
            turns.of(target, access),
            open_link(target, Asking(access), limits) as link,
        ):
            is_in = True
            yield link
    except Refused as refused:
        if is_in:
            raise Unobserved(f"the connection ended ({refused})") from None
        if access.cert is None and access.username is None:
            raise Unobserved("needs an identity: --cert and --key, or --username") from None
        raise Unobserved(f"the broker refuses this identity ({refused})") from None


def _must_live(link: Link) -> None:
    """Make sure that what did not come was not kept from us by an end of the connection.

    Raises:
        Unobserved: the connection ended, so silence proves nothing.
    """
    if link.lost is not None:
        raise Unobserved("the connection ended while messages were waited for")


async def _code(link: Link, topic_filter: str) -> int | None:
    if link.lost is not None:
        return None
    codes = await link.subscribe(topic_filter)
    return codes[0] if codes else None


async def _publish(link: Link, topics: list[str], limits: Limits) -> tuple[Attempt, ...]:
    """Publish until the broker has had enough; then see what comes back."""
    payload = b'{"seawall-audit":"' + limits.nonce.encode() + b'"}'
    codes: list[tuple[str, int | None]] = []
    for topic in topics:
        if link.lost is None:
            codes.append((topic, await link.publish(topic, payload)))
    accepted = [topic for topic, code in codes if code is not None and code < 0x80]
    if accepted and link.lost is None:
        await link.collect(QUIET_S, MAX_MESSAGES, accepted)
        _must_live(link)
    came = {each.topic for each in link.messages}
    return tuple(Attempt(topic, code, link.version, topic in came) for topic, code in codes)


async def _announce_large(link: Link, topic: str) -> bool | None:
    """Begin a PUBLISH that says it is of 16 MiB; whether the broker waits for the rest."""
    if link.greeting.number(Property.MAXIMUM_PACKET_SIZE) is not None:
        return False  # it has told its maximum
    if link.lost is not None:
        return None
    name = topic.encode()
    head = b"\x30" + encode_variable(LARGE_BYTES) + len(name).to_bytes(2, "big") + name
    await link.send_raw(head)
    lost = await link.ended(QUIET_S)
    if lost is not None and lost.code == ReasonCode.SESSION_TAKEN_OVER:
        raise Unobserved("another client with this identity is there: it needs one of its own")
    return lost is None


async def _hear_other(
    target: Target, link: Link, topics: tuple[str, Access], limits: Limits
) -> tuple[Attempt, ...]:
    """Let the second identity publish on its own topics until one is accepted."""
    base, other = topics
    payload = b'{"seawall-audit":"' + limits.nonce.encode() + b'"}'
    name = identity_of(other)
    candidates = [f"{base}/other"]
    if name:
        candidates += [f"devices/{name}/{each}" for each in (f"audit-{limits.nonce}", "events")]
    tried: list[Attempt] = []
    while candidates and not (tried and tried[-1].is_granted):
        async with _entered(target, other, limits) as sender:
            while candidates and sender.lost is None:
                topic = candidates.pop(0)
                code = await sender.publish(topic, payload)
                attempt = Attempt(topic, code, sender.version, False)
                if not attempt.is_denied:
                    await link.collect(QUIET_S, MAX_MESSAGES, [topic])
                    _must_live(link)
                    came = any(each.topic == topic for each in link.messages)
                    attempt = Attempt(topic, code, sender.version, came)
                tried.append(attempt)
                if attempt.is_granted:
                    break
    return tuple(tried)
