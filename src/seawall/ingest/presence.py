"""Which devices are connected, by what their status topic says."""

from __future__ import annotations

from typing import NamedTuple

from seawall.errors import ProtocolError
from seawall.wire.payload import parse_members


class Presence(NamedTuple):
    """Whether a device is connected, and since when (UTC milliseconds)."""

    online: bool
    since_ms: int


class Connection(NamedTuple):
    """Whether a device is connected, if known, and its how-manieth connection that is.

    The number counts connections that this process has heard of, so it tells one
    from the next, no more.
    """

    online: bool | None
    number: int


class StatusChange(NamedTuple):
    """A status message, taken apart.

    Attributes:
        device_id: Whose.
        online: What it says.
        at_ms: When it came, UTC milliseconds.
        retained: True if the broker had kept it: the connection is older.
    """

    device_id: str
    online: bool
    at_ms: int
    retained: bool


def parse_status(payload: bytes) -> bool | None:
    """Return what a status message says; None if it was cleared (an empty payload).

    Raises:
        ProtocolError: if it is not ``{"online":true}`` or ``{"online":false}``.
    """
    if not payload:
        return None
    online = parse_members(payload).get("online")
    if not isinstance(online, bool):
        raise ProtocolError('a status has no "online" of true or false')
    return online


class PresenceTable:
    """What is known of every device's connection. Pure."""

    def __init__(self) -> None:
        self._known: dict[str, Presence] = {}
        self._connections: dict[str, int] = {}

    def update(self, change: StatusChange) -> bool:
        """Take a status in; True if it says something new."""
        before = self._known.get(change.device_id)
        if before is not None and before.online == change.online:
            return False
        self._known[change.device_id] = Presence(change.online, change.at_ms)
        return True

    def count_connection(self, device_id: str) -> None:
        """Note that a device said it is online: each of its connections begins so.

        A broker that was killed tells no last will, so two may follow each other.
        """
        self._connections[device_id] = self._connections.get(device_id, 0) + 1

    def connection(self, device_id: str) -> Connection:
        """Return what is known of one device's connection."""
        known = self._known.get(device_id)
        count = self._connections.get(device_id, 0)
        return Connection(None if known is None else known.online, count)

    def forget(self, device_ids: set[str]) -> None:
        """Drop all devices that are not among these."""
        for device_id in self._connections.keys() - device_ids:
            del self._connections[device_id]
        for device_id in self._known.keys() - device_ids:
            del self._known[device_id]

    def snapshot(self) -> dict[str, Presence]:
        """Return what is known, by device id."""
        return dict(self._known)
