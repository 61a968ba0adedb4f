"""What passes between device and server beside readings: events, commands, replies.

All are sealed with the device's key; a command is never obeyed twice.
"""

import json
from random import randrange
from time import ticks_ms

from micropython import const

from . import load, log
from .signer import sign

_TAIL = const(74)  # ,"sig":" then 64 digits then "}


class Refused(Exception):
    """A command was not accepted; the words are those of vectors/commands.json."""


def unseal(wire, topic, pads):
    """Return the body of a message that was sealed with this key, or None."""
    body = wire[:-_TAIL] + b"}"
    if wire[-_TAIL:-66] != b',"sig":"' or wire[-2:] != b'"}' or wire[0] != 123 or len(body) < 3:
        return None
    # In a time that says nothing of how much of it was right.
    difference = 0
    for a, b in zip(sign(pads, body, topic), wire[-66:-2]):
        difference |= a ^ b
    return None if difference else body


def accept(wire, topic, pads, last):
    """Return a command's members once it has been found genuine and new.

    Args:
        wire: As received.
        topic: The device's own command topic, bytes.
        pads: Of the device's key; see signer.py.
        last: Number of the last command that was accepted.

    Raises:
        Refused: `bad-signature`, `malformed` or `replay`.
    """
    body = unseal(wire, topic, pads)
    if body is None:
        raise Refused("bad-signature")
    try:
        order = json.loads(body)
        name = order["cmd"]
        if name == "stored":
            _whole(order["boot"])
            _whole(order["seq"])
            return order
        if name not in ("identify", "restart", "interval"):
            raise ValueError
        if name == "interval" and not 100 <= _whole(order["ms"]) <= 86_400_000:
            raise ValueError
        number = _whole(order["n"])
    except (ValueError, KeyError, TypeError):
        raise Refused("malformed")
    if number <= last:
        raise Refused("replay")
    return order


def _whole(value):
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise ValueError
    return value


def obey(agent, wire):
    """Obey a command, if it is one."""
    facts = agent.facts
    try:
        order = accept(wire, agent.link.topic + b"commands", agent.pads, facts[3])
    except Refused as refusal:
        log("command refused:", refusal)
        return
    name = order["cmd"]
    if name == "stored":
        _settle(agent.link, order["boot"], order["seq"])
        return
    facts[3] = order["n"]
    facts[2] = order.get("ms", facts[2])
    load("state").write(facts)  # before acting: no cut makes us obey twice
    log("command", name)
    say(agent, b"replies", b'{"re":%d,"ok":true}' % facts[3])
    if name == "restart":
        agent.again = True
    elif name == "interval":
        agent.interval_ms = facts[2]
        agent.due = ticks_ms()
    elif agent.board:
        agent.board.identify()


def _settle(link, boot, seq):
    # The server has stored what was sent up to (boot, seq).
    ids = link.ids
    window = len(ids) // 2
    bits = 0
    for o in range(link.outbox.tail, link.next):
        i = o % window
        if (ids[i], ids[i + window]) <= (boot, seq):
            bits |= 1 << i
    link.settle(bits)


def fault(agent, sensor):
    """A sensor has failed, or works again."""
    log("sensor", sensor.name, sensor.fault or "works")
    _add(agent, '"sensor","sensor":"%s","fault":"%s"' % (sensor.name, sensor.fault))


def _add(agent, text):
    # Few are kept: a device that is offline for long has more important things to keep.
    agent.events = agent.events[-3:] + [
        ('{"event":%s,"boot":%d}' % (text, agent.facts[1])).encode()
    ]


def report(agent):
    """Send what waits."""
    dropped = agent.outbox.dropped
    if dropped > agent.told:
        log("readings dropped:", dropped)
        agent.told = dropped
        _add(agent, '"dropped","count":%d' % dropped)
    while agent.events and say(agent, b"events", agent.events[0]):
        agent.events.pop(0)


def say(agent, channel, body):
    """Send a sealed message that is not a reading; tell whether that was possible."""
    try:
        return agent.link.send(channel, body, randrange(40_000, 64_000))
    except Exception as error:
        agent.link.down = error
        return False
