"""Publications from links to the sink, and its word back as acknowledgements.

Publications are gathered over a turn of the poller and handed over in one
list. What the sink calls durable is acknowledged with one write for each
connection. While the sink is congested nothing is read: a link that has
something to say is paused, and its silence is not held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from seawall.broker.drivers.builtin.link import Link
from seawall.broker.port import Sink
from seawall.model.message import Inbound
from seawall.wire.mqtt.packets import Publish, Will

RESUME_S: Final = 0.01
"""How often a congested sink is asked whether it still is."""


class Traffic:
    """See the module.

    Args:
        sink: Takes publications.
        live: The link of each connected identity.
        later: Calls on the event loop after seconds.
        now_ms: UTC milliseconds.
    """

    def __init__(
        self,
        sink: Sink,
        live: dict[str, Link],
        later: Callable[[float, Callable[[], None]], None],
        now_ms: Callable[[], int],
    ) -> None:
        self.congested = False
        self._sink = sink
        self._live = live
        self._later = later
        self._now_ms = now_ms
        self._gathered: list[Inbound] = []
        self._paused: set[Link] = set()

    def gather(self, link: Link, messages: Sequence[Publish]) -> None:
        """Take publications of a link."""
        make = tuple.__new__  # the class's own constructor takes twice as long
        identity = link.identity
        peer = link.peer
        now_ms = self._now_ms()
        self._gathered += [
            make(
                Inbound,
                (
                    identity,
                    topic,
                    payload,
                    dup,
                    now_ms,
                    False,
                    (link, packet_id, qos) if qos else None,
                    peer,
                ),
            )
            for topic, payload, qos, _, dup, packet_id, _ in messages
        ]

    def gather_will(self, identity: str, will: Will, peer: str) -> None:
        """Take the will of a client that is gone."""
        self._gathered.append(
            Inbound(identity, will.topic, will.payload, False, self._now_ms(), peer=peer)
        )

    def hand_over(self) -> None:
        """Give the sink what a turn has gathered."""
        if not self._gathered:
            return
        messages, self._gathered = self._gathered, []
        self._sink.submit(messages, self._settled)
        if self._sink.congested and not self.congested:
            self.congested = True
            self._later(RESUME_S, self._relieve)

    def pause(self, link: Link) -> None:
        """Read nothing from a link until what is waiting has become less."""
        self._paused.add(link)
        link.pause()

    def forget(self, link: Link) -> None:
        """The link is over."""
        self._paused.discard(link)

    def _settled(self, tokens: Sequence[Any]) -> None:
        """Acknowledge what is durable (`port.Settled`)."""
        groups: dict[Link, list[int]] = {}
        last: Link | None = None
        packet_ids: list[int] = []
        for token in tokens:
            if token is None:
                continue
            link, packet_id, qos = token
            if qos == 2:
                self._settle_received(link, packet_id)
                continue
            if link is not last:
                last = link
                packet_ids = groups.setdefault(link, [])
            packet_ids.append(packet_id)
        for link, packet_ids in groups.items():
            link.acknowledge(packet_ids)
            if link.paused and not self.congested:
                self._resume(link)
        if self.congested:
            self._ask()

    def _settle_received(self, link: Link, packet_id: int) -> None:
        live = self._live.get(link.identity)
        if live is not None and live.machine.session is link.machine.session:
            link = live  # the session has moved to a newer connection
        link.machine.acknowledge_received(packet_id)
        link.send()

    def _relieve(self) -> None:
        self._ask()
        if self.congested:
            self._later(RESUME_S, self._relieve)

    def _ask(self) -> None:
        if not self._sink.congested:
            self.congested = False
            for link in list(self._paused):
                self._resume(link)

    def _resume(self, link: Link) -> None:
        if not link.machine.saturated:
            self._paused.discard(link)
            link.resume()
