"""The endpoint between links, sessions and the sink: who may do what, and who is told.

One event loop's thread; no call waits. Publications are gathered over a turn
of the poller and handed to the sink in one list; what the sink calls durable
is acknowledged with one write for each connection.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from seawall.broker.drivers.builtin.admission import judge_connect
from seawall.broker.drivers.builtin.hub import Hub, LateWill
from seawall.broker.drivers.builtin.link import READ_BYTES, RECORD_BYTES, Link
from seawall.broker.drivers.builtin.poller import Poller
from seawall.broker.drivers.builtin.reception import Reception
from seawall.broker.drivers.builtin.traffic import Traffic
from seawall.broker.drivers.builtin.transport import Transport, tune
from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Sink
from seawall.model.installation import MqttSettings
from seawall.model.reading import Reason
from seawall.pki.peers import handshake_refusal
from seawall.store.refusal_filter import RefusalFilter
from seawall.wire.mqtt.codes import ReasonCode
from seawall.wire.mqtt.events import (
    Arrived,
    Closing,
    Event,
    Forbidden,
    Opening,
    ServerLimits,
    Subscribed,
)
from seawall.wire.mqtt.packets import Connect, Publish, Will
from seawall.wire.mqtt.server import ServerConnection

FINISH_S: Final = 2.0
"""How long a client has to take our last packet and close."""
STALL_S: Final = 20.0
"""A client that takes nothing for so long, while something waits for it, is dropped."""
SWEEP_S: Final = 1.0
_ABSENT_S: Final = 5.0
"""If the process itself stood still for longer, nobody's silence counts."""

_NOT_TAKEN: Final = "too many messages wait for a client that does not take them"
_log = logging.getLogger(__name__)


class Endpoint:
    """All connections of one listener; see `link.Owner` and `reception.Host`.

    Args:
        settings: Limits.
        sink: Takes publications and refusals.
        wrap: Makes a transport of an accepted socket; may raise `OSError`.
        clock: Monotonic seconds.
        now_ms: UTC milliseconds.
    """

    def __init__(
        self,
        settings: MqttSettings,
        sink: Sink,
        wrap: Callable[[socket.socket], Transport],
        *,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.policy = AccessPolicy()
        self.hub = Hub()
        self.buffer = memoryview(bytearray(READ_BYTES + RECORD_BYTES))
        self.now = clock
        self.reception = Reception(
            self, settings.max_connections, settings.max_connections_per_address
        )
        self._wrap = wrap
        self._now_ms = now_ms
        self._connect_timeout_s = settings.connect_timeout_s
        self._limits = ServerLimits(max_packet_bytes=settings.max_packet_bytes)
        self._live: dict[str, Link] = {}
        self.traffic = Traffic(sink, self._live, self.later, now_ms)
        self.poller = Poller(self.traffic.hand_over)
        self._refusals = RefusalFilter(sink.refuse, clock=clock, now_ms=now_ms)
        self._last_sweep = clock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timers: set[asyncio.TimerHandle] = set()

    def start(self) -> None:
        """Begin to serve on the running loop."""
        self._loop = asyncio.get_running_loop()
        self.poller.start()
        self._last_sweep = self.now()
        self.later(SWEEP_S, self._sweep_again)

    def stop(self) -> None:
        """End all connections. Idempotent. Wills stay unsaid: it is the server that leaves."""
        self.reception.close()
        self._loop = None
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.traffic.hand_over()
        for link in list(self.reception.links):
            if link.stage == "open":
                link.machine.disconnect(ReasonCode.SERVER_SHUTTING_DOWN, "the server stops")
                link.send()
            link.close()
        self._live.clear()
        self.poller.stop()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """See `reception.Host`."""
        if self._loop is None:
            return

        def run() -> None:
            self._timers.discard(timer)
            call()

        timer = self._loop.call_later(delay_s, run)
        self._timers.add(timer)

    def enforce(self, policy: AccessPolicy) -> None:
        """Put a policy into force: sessions that it forbids have ended on return."""
        crl_changed = policy.crl_pem != self.policy.crl_pem
        self.policy = policy
        for link in list(self.reception.links):
            if link.stage == "open":
                proof = link.proof
                if proof and policy.judge_connection(proof.identity, proof.serial) is not None:
                    detail = "the device may not be connected any more"
                    self._end(link, link.machine.disconnect(ReasonCode.NOT_AUTHORIZED, detail))
            elif crl_changed and link.stage == "handshake":
                link.close()  # it would be judged by the old list
        self.traffic.hand_over()
        self.hub.restrict(policy)

    # Links (`reception.Host`, `link.Owner`).

    def welcome(self, sock: socket.socket, address: str, peer: str) -> Link | None:
        """See `reception.Host`."""
        fd = sock.fileno()
        try:
            tune(sock)
            transport = self._wrap(sock)
        except (OSError, ValueError):
            sock.close()
            return None
        now = self.now()
        return Link(
            self,
            fd,
            transport,
            ServerConnection(self._limits, now=now),
            address=address,
            peer=peer,
            deadline=now + self._connect_timeout_s,
        )

    def turn_away(self, address: str, peer: str, detail: str) -> None:
        """See `reception.Host`."""
        _log.warning("a connection from %s was closed: %s", address, detail)
        self._refusals.note(Reason.MALFORMED, detail, peer=peer)

    def proven(self, link: Link) -> None:
        """See `link.Owner`."""
        if link.proof is None:
            detail = "the certificate's common name and URI do not name one device"
            self._refusals.note(Reason.UNKNOWN_DEVICE, detail, peer=link.peer)
            link.close()

    def finishing(self, link: Link) -> None:
        """See `link.Owner`."""
        link.deadline = self.now() + FINISH_S
        self.reception.show_out(link)

    def closed(self, link: Link) -> None:
        """See `link.Owner`."""
        self.traffic.forget(link)
        self.reception.forget(link)

    def lost(self, link: Link, error: OSError | None) -> None:
        """See `link.Owner`."""
        if link.stage == "handshake" and error is not None:
            refusal = handshake_refusal(error)
            if refusal is not None:
                self._refusals.note(refusal[0], refusal[1], peer=link.peer)
        if error is not None:
            _log.debug("%s %s is gone: %s", link.identity or "a client", link.peer, error)
        self._detach(link)

    @property
    def congested(self) -> bool:
        """See `link.Owner`."""
        return self.traffic.congested

    @property
    def connected(self) -> int:
        """How many clients are connected."""
        return len(self._live)

    def pause(self, link: Link) -> None:
        """See `link.Owner`."""
        self.traffic.pause(link)

    def handle(self, link: Link, events: list[Event]) -> None:
        """See `link.Owner`."""
        for event in events:
            if type(event) is Arrived:
                self._arrived(link, event)
            elif isinstance(event, Opening):
                self._open(link, event.connect)
            elif isinstance(event, Subscribed):
                self._subscribed(link, event)
            elif isinstance(event, Forbidden):
                self._forbidden(link, event.message)
            elif isinstance(event, Closing):
                self._end(link, event)

    # Messages.

    def _arrived(self, link: Link, event: Arrived) -> None:
        self.traffic.gather(link, event.messages)
        for message in event.retained:
            self.hub.retain(message)
        if link.echo or self.hub.observed:
            self._pass_on(link.identity, event.messages, link if link.echo else None)
        if link.machine.saturated:
            self.traffic.pause(link)

    def _pass_on(self, identity: str, messages: Sequence[Publish], echo: Link | None) -> None:
        """Tell those who listen to a device what it sends; itself, if it is ``echo``."""
        for session in list(self.hub.audience(identity, itself=echo is not None)):
            listener = self._live.get(session.client_id)
            for message in messages:
                if not self.hub.pass_on(message, identity, session) and listener is not None:
                    closing = listener.machine.disconnect(ReasonCode.QUOTA_EXCEEDED, _NOT_TAKEN)
                    self._end(listener, closing)
                    break
            if listener is not None:
                listener.machine.pump()
                if listener is not echo:  # who is being read from is sent to afterwards
                    listener.send()

    # Connections.

    def _open(self, link: Link, connect: Connect) -> None:
        proof = link.proof
        if proof is None:
            raise RuntimeError("a link reads only after its handshake")
        no = judge_connect(self.policy, proof, connect)
        if no is not None:
            self._refusals.note(no.reason, no.detail, device_id=proof.identity, peer=link.peer)
            link.machine.refuse(no.code, no.detail)
            link.finish()
            return
        identity = proof.identity
        self._take_over(identity, continues=not connect.clean_start)
        session, present = self.hub.join(identity, clean_start=connect.clean_start)
        self._live[identity] = link
        link.identity = identity
        link.stage = "open"
        link.deadline = 0.0
        self.reception.seat(link)
        events = link.machine.accept(
            session,
            present=present,
            # The policy of the moment, not the one of now.
            may_publish=lambda topic: self.policy.may_publish(identity, topic),
            may_subscribe=lambda wanted: self.policy.may_subscribe(identity, wanted),
        )
        link.echo = self.hub.note_subscriptions(identity, session)
        self.handle(link, events)

    def _take_over(self, identity: str, *, continues: bool) -> None:
        """End the older connection of a client that connects again [MQTT-3.1.4-3]."""
        older = self._live.get(identity)
        if older is not None:
            detail = "the same certificate has connected again"
            self._end(older, older.machine.disconnect(ReasonCode.SESSION_TAKEN_OVER, detail))
        late = self.hub.take_late_will(identity)
        if late is not None and not continues:
            self._publish_will(identity, late.will, late.peer)

    def _subscribed(self, link: Link, event: Subscribed) -> None:
        session = link.machine.session
        link.echo = self.hub.note_subscriptions(link.identity, session)
        if not self.hub.send_retained(session, event.subscriptions):
            self._end(link, link.machine.disconnect(ReasonCode.QUOTA_EXCEEDED, _NOT_TAKEN))
        link.machine.pump()

    def _forbidden(self, link: Link, message: Publish) -> None:
        self._refusals.note(
            Reason.WRONG_TOPIC,
            f"{link.identity} may not publish on {message.topic[:128]!r}",
            device_id=link.identity,
            topic=message.topic,
            payload=message.payload,
            peer=link.peer,
        )

    def _end(self, link: Link, closing: Closing) -> None:
        """Act on the end of the protocol on a link."""
        if closing.violation:
            large = closing.code == ReasonCode.PACKET_TOO_LARGE
            self._refusals.note(
                Reason.TOO_LARGE if large else Reason.MALFORMED,
                closing.detail,
                device_id=link.proof.identity if link.proof else None,
                peer=link.peer,
            )
        _log.debug("%s %s: %s", link.identity or "a client", link.peer, closing.detail)
        self._detach(link)
        if closing.code:
            link.finish()
        else:
            link.close()

    def _detach(self, link: Link) -> None:
        """Part a link from its session, and see to the will. Idempotent."""
        identity = link.identity
        if not identity or self._live.get(identity) is not link:
            return
        del self._live[identity]
        self.traffic.forget(link)
        machine = link.machine
        now = self.now()
        self.hub.leave(machine.session, now)
        will = machine.take_will()
        if will is None:
            return
        delay_s = min(machine.terms.will_delay_s, machine.session.expiry_s)
        if delay_s:
            self.hub.postpone_will(identity, LateWill(now + delay_s, will, link.peer))
        else:
            self._publish_will(identity, will, link.peer)

    def _publish_will(self, identity: str, will: Will, peer: str) -> None:
        message = Publish(will.topic, will.payload, min(will.qos, 1), will.retain)
        if will.retain:
            self.hub.retain(message)
        self.traffic.gather_will(identity, will, peer)
        self._pass_on(identity, [message], None)

    def command(self, identity: str, topic: str, payload: bytes) -> bool:
        """Queue an order, and send it if the device is there; False if too many wait."""
        if not self.hub.command(identity, topic, payload):
            return False
        link = self._live.get(identity)
        if link is not None:
            link.machine.pump()
            link.send()
        return True

    def _sweep_again(self) -> None:
        self.later(SWEEP_S, self._sweep_again)
        self.sweep()

    def sweep(self) -> None:
        """End what has run out of time: CONNECT, keep-alive, certificates, sessions."""
        now = self.now()
        wall_s = self._now_ms() / 1000
        absent = now - self._last_sweep > _ABSENT_S
        self._last_sweep = now
        for link in self.reception.overdue(now):
            self._expire(link)
        for link in list(self._live.values()):
            try:
                self._inspect(link, now, wall_s, absent=absent)
            except Exception:  # one connection's trouble must not be another's
                _log.exception("a connection failed in an unforeseen way")
                link.on_fault()
        for identity, late in self.hub.expire(now):
            self._publish_will(identity, late.will, late.peer)
        self.traffic.hand_over()

    def _inspect(self, link: Link, now: float, wall_s: float, *, absent: bool) -> None:
        if absent:
            link.machine.excuse(now)
        elif link.stalled_since and now - link.stalled_since > STALL_S:
            self.lost(link, TimeoutError("the client takes nothing"))
            link.close()
        elif link.proof is not None and wall_s > link.proof.expires_s:
            detail = "the certificate has expired"
            self._end(link, link.machine.disconnect(ReasonCode.NOT_AUTHORIZED, detail))
        elif not link.paused:
            self.handle(link, link.machine.tick(now))

    def _expire(self, link: Link) -> None:
        if link.stage in {"handshake", "connect"}:
            detail = f"no CONNECT within {self._connect_timeout_s:g} s"
            self._refusals.note(Reason.MALFORMED, detail, peer=link.peer)
        link.close()
