"""The MQTT topics that a device has, and how to read one.

``devices/{id}/readings``, ``/status``, ``/events`` and ``/replies`` go up;
``devices/{id}/commands`` comes down.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from seawall.model.ids import is_device_id


class Channel(StrEnum):
    """The last level of a device's topic."""

    READINGS = "readings"
    STATUS = "status"
    EVENTS = "events"
    REPLIES = "replies"
    COMMANDS = "commands"


UPWARD: Final = frozenset({Channel.READINGS, Channel.STATUS, Channel.EVENTS, Channel.REPLIES})


class DeviceTopic(NamedTuple):
    """A topic taken apart."""

    device_id: str
    channel: Channel


def topic_of(device_id: str, channel: Channel) -> str:
    """Return the topic of one channel of one device."""
    return f"devices/{device_id}/{channel.value}"


def parse_topic(topic: str) -> DeviceTopic | None:
    """Take a topic apart; None if it is not a device's."""
    parts = topic.split("/")
    if len(parts) != 3 or parts[0] != "devices" or not is_device_id(parts[1]):
        return None
    try:
        return DeviceTopic(parts[1], Channel(parts[2]))
    except ValueError:
        return None
