"""Who may be sending again what was stored already, behind a broker that tells no DUP.

A broker forwards a device's message as a message of its own, so the device's
DUP flag does not arrive. But a device says ``{"online":true}`` first, then sends
what is left in its outbox: from that status to its first new reading, a known
(boot, seq) is a re-delivery and no replay. Nothing is taken twice either way;
this only decides whether it is reported as an attack.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seawall.model.reading import Reading
from seawall.model.topics import Channel, topic_of

_STATUS_END: Final = "/" + Channel.STATUS.value
_READINGS_END: Final = "/" + Channel.READINGS.value
_MOST_TOPICS: Final = 100_000


class Resending:
    """The devices that began a connection and sent nothing new yet. Pure.

    Attributes:
        ordinary: Topics of readings whose messages are new for sure, in the
            eyes of the receive loop: the one set that it asks for each message.
    """

    def __init__(self) -> None:
        self.ordinary: set[str] = set()
        self._doubtful: set[str] = set()

    def doubt_all(self) -> None:
        """Begin a connection: nothing is ordinary yet."""
        self.ordinary.clear()

    def judge(self, topic: str, payload: bytes) -> bool:
        """Tell whether a message that is not of an ordinary topic may be a re-delivery.

        A retained status counts like a fresh one: it says that the device's
        connection began while we were away, so what comes may have come before.
        """
        if topic.endswith(_STATUS_END):
            readings = topic.removesuffix(_STATUS_END) + _READINGS_END
            # What else it holds is judged elsewhere; a doubt too much harms nobody.
            if b"true" in payload and readings not in self._doubtful:
                self._doubtful.add(readings)
                self.ordinary.discard(readings)
            return False
        return topic in self._doubtful

    def trust(self, topic: str) -> None:
        """Note that a topic of readings, if it is one, is ordinary from now on."""
        if topic.endswith(_READINGS_END) and len(self.ordinary) < _MOST_TOPICS:
            self.ordinary.add(topic)

    def accepted(self, readings: Iterable[Reading]) -> None:
        """Note that these were new."""
        if self._doubtful:
            devices = {reading.device_id for reading in readings}
            self._doubtful -= {topic_of(device_id, Channel.READINGS) for device_id in devices}
