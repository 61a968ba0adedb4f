"""What Mosquitto's log lines say, purely."""

from __future__ import annotations

import logging
import re
from typing import Final, NamedTuple

RUNNING: Final = re.compile(r"mosquitto version \S+ running\Z")
RELOADING: Final = "Reloading config."
ADDRESS_IN_USE: Final = re.compile(r"address already in use", re.IGNORECASE)

_CONNECTED: Final = re.compile(
    r"New client connected from (?P<peer>\S*) as (?P<client>.+) "
    r"\(p\d+, c\d+, k\d+(?:, u'(?P<user>.*)')?\)\.\Z"
)
_OVERSIZE: Final = re.compile(
    # 2.0: "Client X disconnected due to oversize packet."
    # 2.1: "Client X [1.2.3.4:5] disconnected: oversize packet."
    r"Client (?P<client>.+?)(?: \[(?P<peer>[^\]]*)\])? disconnected"
    r"(?: due to|:) oversize packet\.\Z"
)
_ROUTINE: Final = re.compile(
    r"New connection from|Client .* already connected, closing old"
    # Our own visits, at every change of the registry.
    r"|New client connected from control\.sock|Client @control disconnected"
    # Said of every connection through the control socket, which is no TCP.
    r"|Warning: Unable to set TCP_NODELAY"
)
_TLS: Final = re.compile(r"OpenSSL Error")


class Connected(NamedTuple):
    """A client was let in. ``peer`` is ``host:port``."""

    client_id: str
    user: str
    peer: str


class Oversize(NamedTuple):
    """A client sent a packet above the limit and was cut off."""

    client_id: str
    peer: str


def read_line(line: str) -> Connected | Oversize | None:
    """Return what a line reports, if it is of interest."""
    if match := _CONNECTED.match(line):
        return Connected(match["client"], match["user"] or "", match["peer"])
    if match := _OVERSIZE.match(line):
        return Oversize(match["client"], match["peer"] or "")
    return None


def level_of(line: str) -> int:
    """Return the `logging` level of a line: Mosquitto writes the level as a word, or not at all."""
    if _ROUTINE.match(line):
        return logging.DEBUG
    if line.startswith("Error"):
        return logging.ERROR
    if line.startswith("Warning"):
        return logging.WARNING
    # A refused certificate is the refusal doing its work, not a fault of ours.
    return logging.INFO if not _TLS.match(line) else logging.WARNING
