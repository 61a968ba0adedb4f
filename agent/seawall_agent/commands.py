"""Orders from the server: sealed with the device's key, and never obeyed twice."""

import json
from micropython import const

_MIN_INTERVAL_MS = const(100)
_MAX_INTERVAL_MS = const(86_400_000)
_NAMES = ("identify", "restart", "interval")


class Refused(Exception):
    """A command was not accepted; the words are those of vectors/commands.json."""


def accept(payload, topic, signer, last):
    """Return a command's members once it has been found genuine and new.

    Args:
        payload: As received.
        topic: The device's own command topic, bytes.
        signer: With the device's key.
        last: Number of the last command that was accepted.

    Raises:
        Refused: `bad-signature`, `malformed` or `replay`.
    """
    body = signer.open(payload, topic)
    if body is None:
        raise Refused("bad-signature")
    try:
        order = json.loads(body)
        name = order["cmd"]
        if name == "stored":
            _whole(order["boot"])
            _whole(order["seq"])
            return order
        number = _whole(order["n"])
        if name == "interval":
            if not _MIN_INTERVAL_MS <= _whole(order["ms"]) <= _MAX_INTERVAL_MS:
                raise ValueError
        elif name not in _NAMES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise Refused("malformed")
    if number <= last:
        raise Refused("replay")
    return order


def _whole(value):
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError
    return value
