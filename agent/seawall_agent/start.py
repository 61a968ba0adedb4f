"""Puts an agent together from the files of its bundle, a piece after the other."""

from . import load, log
from .app import Agent


def start():
    """Return the Agent of the bundle in this folder, or None after saying what is wrong."""
    # Their names make MicroPython's table of names grow, while there is a place for it.
    load("dial")
    load("farewell")
    agent = Agent()
    try:
        load("trust").start(agent)
        config = load("config").read()
        for step in ("state", "sensing", "joining"):
            load(step).start(agent, config)
        return agent
    except (OSError, SystemExit) as error:
        log("error:", error)
