"""Puts an agent together from the files of its bundle, a piece after the other."""

import os
import sys

from . import load, log
from .app import Agent
from .outbox import Outbox


def start(trial=None):
    """Return the Agent of the bundle in this folder, or None after saying what is wrong."""
    # Its names make MicroPython's table of names grow, while there is a place for it.
    load("dial")
    agent = Agent()
    try:
        load("trust").start(agent)
        config = load("config").read()
        for folder in ("state", "state/outbox"):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there; if not, the next line says so
        agent.outbox = recover("state/outbox/", config["outbox"]["max_readings"])
        load("state").start(agent, config)
        load("sensing").start(agent, config)
        load("joining").start(agent, config)
        agent.session = None
        if trial or config.get("updates"):
            load("software").start(agent, trial)
        if "application" in str(os.listdir(sys.path[0] or ".")):
            __import__("application").start(agent)
        return agent
    except (OSError, SystemExit) as error:
        log("error:", error)


def recover(folder, limit):
    """Return the Outbox over the segments in a folder, however the last run ended."""
    record_of = load("backlog").record_of
    outbox = Outbox()
    outbox.path = folder + "%08x"
    outbox.limit = limit
    outbox.firsts = firsts = sorted(int(name, 16) for name in os.listdir(folder[:-1]))  # FAT: no "/"
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
