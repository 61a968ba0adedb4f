"""Puts an agent together from the files of its bundle, a piece after the other."""

import os
import tls
from array import array

from . import load, log
from .app import Agent
from .link import Link
from .outbox import Outbox


def start():
    """Return the Agent of the bundle in this folder, or None after saying what is wrong."""
    # Its names make MicroPython's table of names grow, while there is a place for it.
    load("dial")
    agent = Agent()
    try:
        if not agent.context:  # to start again, no other piece of memory so big would be found
            load("trust").start(Agent)
        config = load("config").read()
        for folder in ("state", "state/outbox"):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there; if not, the next line says so
        agent.outbox = recover("state/outbox/", config["outbox"]["max_readings"])
        load("state").start(agent, config)
        load("sensing").start(agent, config)
        join(agent, config)
        return agent
    except (OSError, SystemExit) as error:
        log("error:", error)


def join(agent, config):
    """Give an agent its link, as the configuration describes it."""
    agent.link = made = Link()
    made.agent = agent
    made.outbox = agent.outbox
    made.topic = ("devices/%s/" % config["device_id"]).encode()
    broker = config.pop("broker")
    by_command = broker["ack"] == "stored"
    made.broker = (
        broker["host"],
        broker["port"],
        broker["server_name"],
        1000 * broker["keepalive_s"],
        1000 * broker["timeout_s"],
        1000 * broker["settle_s" if by_command else "timeout_s"],
        by_command,
    )
    made.spare = made.down = made.task = made.s = made.raw = None
    made.up = False
    made.buf = memoryview(bytearray(256))
    made.tries = made.next = made.done = 0
    made.old = agent.outbox.end
    made.ids = array("I", range(16))
    trust = config.pop("trust")
    mode = trust["mode"]
    made.pins = b"" if mode == "ca" else trust["pins"]
    # With pins alone an unknown issuer, another name and another date are forgiven; the verdict of
    # dial.judge never is.
    agent.context.verify_mode = tls.CERT_OPTIONAL if mode == "pin" else tls.CERT_REQUIRED
    agent.wifi = config["wifi"]["ssid"] and config["wifi"]


def recover(folder, limit):
    """Return the Outbox over the segments in a folder, however the last run ended."""
    record_of = load("backlog").record_of
    outbox = Outbox()
    outbox.path = folder + "%08x"
    outbox.limit = limit
    # FAT knows no folder by a name that ends with "/".
    outbox.firsts = firsts = sorted(int(name, 16) for name in os.listdir(folder[:-1]))
    outbox.lost = outbox.boot = 0
    outbox.last = outbox.f = outbox.backlog = None
    end = start = 0
    for first in reversed(firsts[:]):
        oldest = None
        at = first
        with open(outbox.path % first, "rb") as f:
            while record := record_of(f):
                oldest, outbox.boot = record[:2]
                at += 1
        end = max(end, at)
        if oldest is not None:
            start = max(oldest, firsts[0])
            break
        os.unlink(outbox.path % first)  # it has no whole record
        firsts.remove(first)
    else:
        start = end
    outbox.end = end
    outbox.start = 0
    outbox.settle(start)
    return outbox
