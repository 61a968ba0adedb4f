"""What runs is told to the server; orders to update are taken.

The order that is being carried out is on flash (``state/update``), with what came
of it until that has been told. update.py carries it out, telling.py tells.
"""

import json
import os

from seawall_guard.slots import Files, Slots, numbers

from . import core, load, log

ORDER = "state/update"


def start(agent, trial):
    """Report what runs; go on with what a boot has interrupted."""
    agent.tried = trial
    slots = trial.slots if trial else Slots(Files("state/"))
    running(agent, slots)
    if trial or slots.outcome != "-" or read():
        go(agent, slots, trial)


def go(agent, slots, trial=None):
    """Tell what is to be told; then carry out what has been ordered."""
    agent.session = core.create_task(load("telling").tell(agent, slots, trial))


def running(agent, slots):
    """Report the version that runs."""
    trial = slots.trial
    load("events").event(
        agent,
        '"running","version":"%s","slot":"%s","trial":%s'
        % (
            slots.floor if trial == "-" else slots.version,
            trial if "-" < trial < "c" else slots.live,
            "false" if trial == "-" else "true",
        ),
    )


def is_order(order):
    """Return whether a command to update has what it needs."""
    target = order["target"] + ""
    numbers(order["version"] + "")
    return 0 < len(target) <= 100 and 0 < order["trial_s"] <= 3600


def obey(agent, order):
    """Keep an order, and carry it out; or drop the one that is not on trial yet."""
    slots = Slots(Files("state/"))
    found = read()
    aborts = order["cmd"] != "update"
    if slots.trial != "-":
        if not aborts:
            report(agent, outcome(order, "refused", "busy", True))
        return
    if not aborts:
        found = {name: order[name] for name in ("n", "target", "version", "trial_s")}
    elif found and "state" not in found:
        outcome(found, "failed", "aborted", True)
    else:
        return
    write(found)
    if agent.session:
        agent.session.cancel()
    go(agent, slots)


def outcome(found, state, reason, again):
    """Add what came of an order to it."""
    found["state"] = state
    if reason:
        found["reason"] = reason
        found["again"] = again
    return found


def report(agent, found):
    """Say how an order stands, if there is a connection."""
    told = {"event": "update", "re": found["n"], "boot": agent.facts[1]}
    for name in ("version", "state", "percent", "reason", "again"):
        if name in found:
            told[name] = found[name]
    link = agent.link
    try:
        if link.up:
            link.send(b"events", json.dumps(told).encode(), 65_005)
    except Exception as error:
        link.down = error


def tell(source, state, percent=None):
    """Report how far an order has come, at each tenth."""
    order = source.order
    found = {"n": order["n"], "version": order["version"], "state": state}
    if percent is not None:
        source.percent = percent + 10
        found["percent"] = percent
    log("update", order["version"], state, percent or "")
    report(source.agent, found)


def read():
    """Return the order that is being carried out, or None."""
    try:
        with open(ORDER) as f:
            found = json.load(f)
        found["n"] + 0, found["version"] + found["target"]
        return found
    except (OSError, ValueError, TypeError, KeyError):
        return None  # torn


def write(found):
    """Keep an order; None: it is done with."""
    if found:
        with open(ORDER, "w") as f:
            json.dump(found, f)
    elif read():
        os.unlink(ORDER)
