"""Orders from the server: sealed with the device's key, and never obeyed twice."""

import json

from micropython import const

from . import load, log
from .signer import seal

_TAIL = const(74)  # ,"sig":" then 64 digits then "}
_MEMBERS = {
    "stored": "boot seq",
    "identify": "n",
    "restart": "n",
    "interval": "n ms",
    "update": "n trial_s",
    "update-abort": "n",
}


def unseal(wire, topic, pads):
    """Return the body of a message that was sealed with this key, or None."""
    body = wire[:-_TAIL] + b"}"
    if len(body) < 3 or wire[0] != 123:
        return None
    # In a time that says nothing of how much of it was right.
    sealed = seal(pads, body, topic)
    difference = len(sealed) ^ len(wire)
    for a, b in zip(sealed, wire):
        difference |= a ^ b
    return None if difference else body


def accept(wire, topic, pads, last):
    """Return a command's members; or, as vectors/commands.json has it, why it is refused.

    Args:
        wire: As received.
        topic: The device's own command topic, bytes.
        pads: Of the device's key; see signer.py.
        last: Number of the last command that was accepted.
    """
    body = unseal(wire, topic, pads)
    if not body:
        return "bad-signature"
    try:
        order = json.loads(body)
        name = order["cmd"]
        for member in _MEMBERS[name].split():
            value = order[member]
            if type(value) is not int or not 0 <= value < 1 << 53:
                return "malformed"
        if name == "interval" and not 100 <= order["ms"] <= 86_400_000:
            return "malformed"
        if name[0] == "u" and not load("software").is_order(order):
            return "malformed"
        return "replay" if order.get("n", last + 1) <= last else order
    except (ValueError, KeyError, TypeError, ImportError):  # the last: no updates here
        return "malformed"


def obey(agent, wire):
    """Obey a command, if it is one."""
    link = agent.link
    facts = agent.facts
    order = accept(wire, link.topic + b"commands", agent.pads, facts[3])
    if isinstance(order, str):
        return log("command refused:", order)
    name = order["cmd"]
    if name == "stored":
        return _settle(link, order["boot"], order["seq"])
    if name[0] == "u":
        load("software").obey(agent, order)
    facts = facts[:]
    facts[3] = order["n"]
    facts[2] = order.get("ms", facts[2])
    load("state").write(facts)  # before acting: no cut makes us do it twice; update.py sees to itself
    agent.facts = facts
    log("command", name)
    link.send(b"replies", b'{"re":%d,"ok":true}' % facts[3], 65_003)
    if name == "restart":
        agent.again = True
    elif name == "interval":
        agent.interval_ms = facts[2]
        agent.due = link.sent  # just now
    elif name == "identify" and agent.board:
        agent.board.identify()


def _settle(link, boot, seq):
    # The server has stored what was sent up to (boot, seq).
    ids = link.ids
    window = len(ids) // 2
    bits = 0
    for o in range(link.outbox.start, link.next):
        i = o % window
        if (ids[i], ids[i + window]) <= (boot, seq):
            bits |= 1 << i
    link.settle(bits)
