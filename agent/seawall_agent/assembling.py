"""Puts an agent together from the files of its bundle, a piece after the other."""

import gc
import os
import sys

from . import load, log
from .app import Agent


def start(trial=None):
    """Return the Agent of the bundle in this folder, or None after saying what is wrong."""
    # Their names make MicroPython's table of names grow, while there is a place for it in one piece.
    for name in "dial commands farewell backlog clock config state start joining sensing".split():
        load(name)
    agent = Agent()
    try:
        if not agent.context:  # to start again, no other piece of memory so big would be found
            load("trust").start(Agent)
        config = load("config").read()
        for folder in ("state", "state/outbox", "trust"):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there; if not, the next line says so
        agent.outbox = load("start").recover("state/outbox/", config["outbox"]["max_readings"])
        load("state").start(agent, config)
        load("sensing").start(agent, config)
        load("joining").start(agent, config)
        agent.session = None
        if trial or config.get("updates"):
            gc.threshold(-1)  # an update needs more memory with it than without
            for name in "canonical tuf build update".split():
                load(name)  # as above: the table would grow in the middle of an update
            load("software").start(agent, trial)
        if "application" in str(os.listdir(sys.path[0] or ".")):
            __import__("application").start(agent)
        return agent
    except (OSError, SystemExit) as error:
        log("error:", error)
