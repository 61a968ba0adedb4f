"""Sessions, retained messages and orders: what the endpoint knows between packets.

Pure: no socket, no clock. All of it is in memory and ends with the process:
after a restart a session is not present, a retained message is missing until
its device says it again, and orders that were not delivered are lost (whoever
gave them sees no reply).

Nothing goes from one device to another: `audience` knows services that observe,
and the device itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from seawall.broker.policy import AccessPolicy
from seawall.model.reading import Reason
from seawall.model.topics import Channel, parse_topic, topic_of
from seawall.wire.mqtt.fields import matches
from seawall.wire.mqtt.packets import Publish, Subscription, Will
from seawall.wire.mqtt.session import Outgoing, ServerSession

MAX_RETAINED_BYTES: Final = 4_096
"""A longer retained message is passed on, but not kept."""


@dataclass(frozen=True, slots=True)
class LateWill:
    """A will that waits for its client to come back (MQTT 5.0, 3.1.3.2.2)."""

    due: float
    will: Will
    peer: str


def paused_devices(policy: AccessPolicy) -> set[str]:
    """Return the devices that may not connect now, but may be enabled again."""
    return {name for name, why in policy.refused.items() if why is Reason.DISABLED_DEVICE}


class Hub:
    """The state of all clients."""

    def __init__(self) -> None:
        self._sessions: dict[str, ServerSession] = {}
        self._asleep: dict[str, float] = {}  # who has a session and no connection, until when
        self._retained: dict[str, Publish] = {}
        self._late_wills: dict[str, LateWill] = {}
        self._observers: set[str] = set()

    def join(self, identity: str, *, clean_start: bool) -> tuple[ServerSession, bool]:
        """Return the session of a client that connects, and whether it was there before."""
        old = self._sessions.get(identity)
        slept = self._asleep.pop(identity, None) is not None
        if old is not None and slept and not clean_start:
            return old, True
        session = old.renewed() if old is not None else ServerSession(identity)
        self._sessions[identity] = session
        self._observers.discard(identity)
        return session, False

    def leave(self, session: ServerSession, now: float) -> None:
        """Note that the connection of a session has ended."""
        identity = session.client_id
        if self._sessions.get(identity) is not session:
            return
        if session.expiry_s:
            self._asleep[identity] = now + session.expiry_s
        else:
            self._end(identity)

    def postpone_will(self, identity: str, late: LateWill) -> None:
        """Keep a will until it is due, or its client is back."""
        self._late_wills[identity] = late

    def take_late_will(self, identity: str) -> LateWill | None:
        """Return and forget the will that waits for this client."""
        return self._late_wills.pop(identity, None)

    def expire(self, now: float) -> list[tuple[str, LateWill]]:
        """End sessions whose time is over; return the wills that are due now."""
        over = [identity for identity, until in self._asleep.items() if until <= now]
        for identity in over:
            del self._asleep[identity]
            self._end(identity)
        due = [
            (identity, late)
            for identity, late in self._late_wills.items()
            if late.due <= now or identity in over
        ]
        for identity, _ in due:
            del self._late_wills[identity]
        return due

    def restrict(self, policy: AccessPolicy) -> None:
        """Forget everything about devices that may never connect any more."""
        known = policy.active.keys() | policy.services | paused_devices(policy)
        for identity in self._sessions.keys() - known:
            del self._sessions[identity]
            self._asleep.pop(identity, None)
            self._late_wills.pop(identity, None)
            self._observers.discard(identity)
        gone = [t for t in self._retained if t.split("/")[1] not in known]
        for topic in gone:
            del self._retained[topic]

    def retain(self, message: Publish) -> None:
        """Keep a message with the RETAIN flag; an empty one removes what is kept (3.3.1.3)."""
        if parse_topic(message.topic) is None:
            return  # what services send elsewhere is nobody's state
        if 0 < len(message.payload) <= MAX_RETAINED_BYTES:
            self._retained[message.topic] = message
        else:
            self._retained.pop(message.topic, None)

    def send_retained(self, session: ServerSession, wanting: list[Subscription]) -> bool:
        """Queue the retained messages that new subscriptions match, each once (3.3.1.3).

        Returns:
            False, and nothing is queued, if the client has not taken what waits for it.
        """
        if session.is_full:
            return False
        for topic, kept in self._retained.items() if wanting else ():
            granted = [each.qos for each in wanting if matches(each.topic_filter, topic)]
            if granted:
                qos = min(kept.qos, max(granted))
                # As many as topics at most, which `retain` bounds: so not cut off in the middle.
                message = Outgoing(topic, kept.payload, qos, True, kept.properties)
                session.add_message(message, bounded=False)
        return True

    def note_subscriptions(self, identity: str, session: ServerSession) -> bool:
        """Note whether a client listens to what devices send up; return it."""
        listens = bool(session.subscriptions.keys() - {topic_of(identity, Channel.COMMANDS)})
        if listens and identity.startswith("@"):
            self._observers.add(identity)
        else:
            self._observers.discard(identity)
        return listens

    @property
    def observed(self) -> bool:
        """Whether any service listens to what devices send."""
        return bool(self._observers)

    def audience(self, identity: str, *, itself: bool) -> Iterator[ServerSession]:
        """Give the sessions that may hear a device: observers, and itself if it wants."""
        for name in self._observers | ({identity} if itself else set()):
            session = self._sessions.get(name)
            if session is not None:
                yield session

    @staticmethod
    def pass_on(message: Publish, source: str, session: ServerSession) -> bool:
        """Queue a message for a session that subscribes to it; False if too many wait."""
        best: Subscription | None = None
        for topic_filter, each in session.subscriptions.items():
            if each.no_local and source == session.client_id:
                continue
            if (best is None or each.qos > best.qos) and matches(topic_filter, message.topic):
                best = each
        if best is None:
            return True
        retain = message.retain and best.retain_as_published
        qos = min(message.qos, best.qos)
        outgoing = Outgoing(message.topic, message.payload, qos, retain, message.properties)
        return session.add_message(outgoing)

    def command(self, identity: str, topic: str, payload: bytes) -> bool:
        """Keep an order for a device until it acknowledges; False if too many wait."""
        session = self._sessions.get(identity)
        if session is None:
            session = self._sessions[identity] = ServerSession(identity)
        return session.add_command(topic, payload)

    def _end(self, identity: str) -> None:
        """End a session; orders that are not acknowledged stay."""
        session = self._sessions.pop(identity, None)
        self._observers.discard(identity)
        if session is not None and session.open_commands:
            self._sessions[identity] = session.renewed()
