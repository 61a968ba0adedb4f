"""What runs, what came of a trial, and orders to update: told until the server knows.

The order that is being carried out is on flash (``state/update``) with what came
of it, until that has been told.
"""

import json
import os

from seawall_guard.slots import Files, Slots, numbers

from . import core, load, log

_ORDER = "state/update"


def start(agent, trial):
    """Report what runs; go on with what a boot has interrupted."""
    agent.session = None
    slots = trial.slots if trial else Slots(Files("state/"))
    load("events").event(agent, running(slots))
    if trial or slots.outcome != "-" or _read():
        agent.session = core.create_task(_go(agent, slots, trial))


def running(slots):
    """Return what an event says of the version that runs."""
    on_trial = slots.trial != "-"
    version = slots.version if on_trial else slots.floor
    slot = slots.trial if "a" <= slots.trial < "c" else slots.live
    return '"running","version":"%s","slot":"%s","trial":%s' % (
        version,
        slot,
        "true" if on_trial else "false",
    )


def is_order(order):
    """Return whether a command to update has what it needs."""
    target = order["target"]
    numbers(order["version"] + "")
    return 0 < len(target) <= 100 and 0 < order["trial_s"] <= 3600 and "/" + target


def order(agent, given):
    """Keep an order (the members of a command), and carry it out."""
    slots = Slots(Files("state/"))
    if slots.trial != "-":
        report(agent, _outcome(given, "refused", "busy", True))
        return
    _write({name: given[name] for name in ("n", "target", "version", "trial_s")})
    _drop(agent)
    agent.session = core.create_task(_go(agent, slots, None))


def abort(agent):
    """Drop the order, unless it is on trial."""
    found = _read()
    if found and "state" not in found and Slots(Files("state/")).trial == "-":
        _drop(agent)
        _write(_outcome(found, "failed", "aborted", True))
        agent.session = core.create_task(_go(agent, Slots(Files("state/")), None))


def _drop(agent):
    if agent.session:
        agent.session.cancel()


async def _go(agent, slots, trial):
    if trial:
        await load("trial").prove(agent, trial)
        load("events").event(agent, running(slots))
    if slots.outcome != "-":
        found = {"n": slots.n, "version": slots.version}
        if slots.outcome == "confirmed":
            found["state"] = slots.outcome
        else:
            found = _outcome(found, "rolled-back", slots.outcome, False)
        await _tell(agent, found)
        slots.told()
    found = _read()
    # An order that has been tried is done with, however the trial ended.
    if found and found["n"] > slots.n:
        if "state" not in found:
            state, reason, again = await load("update").run(agent, slots, found)
            if state == "trying":
                return
            _write(_outcome(found, state, reason, again))
        await _tell(agent, found)
    if found:
        os.unlink(_ORDER)
    agent.session = None


def _outcome(found, state, reason, again):
    found["state"] = state
    if reason:
        found["reason"] = reason
        found["again"] = again
    return found


async def _tell(agent, found):
    # Until a reading that went out later is stored: what went before it has arrived.
    link = agent.link
    outbox = agent.outbox
    log("update", found["version"], found["state"], found.get("reason", ""))
    while True:
        while not link.up:
            await core.sleep_ms(100)
        connection = link.task
        report(agent, found)
        mark = outbox.end
        while link.up and link.task is connection:
            if outbox.start > mark:
                return
            await core.sleep_ms(50)


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


def _read():
    try:
        with open(_ORDER) as f:
            found = json.load(f)
        found["n"] + 0, found["version"] + found.get("target", "")
        return found
    except (OSError, ValueError, TypeError, KeyError):
        return None  # torn


def _write(found):
    with open(_ORDER, "w") as f:
        json.dump(found, f)
