"""Puts an agent together from the files of its bundle, a piece after the other."""

from . import link, load, log, outbox, sensors  # noqa: F401  what stays, side by side in memory
from .app import Agent


def start():
    """Return the Agent of the bundle in this folder, or None after saying what is wrong."""
    try:
        agent = Agent()
        # First, and large in one piece: the TLS context, while there is room.
        load("trust").begin(agent)
        config = load("config").read()
        for step in ("state", "sensing", "joining"):
            load(step).begin(agent, config)
        return agent
    except SystemExit as error:
        log("error:", error.args[0])
    except OSError as error:
        log("error: state:", error)
    return None
