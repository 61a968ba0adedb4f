"""What runs is told to the server, and proves itself; orders to update are taken, and end.

The order that is being carried out is on flash (``state/update``), with what came
of it until that has been told. update.py carries it out.
"""

import json
import os

from micropython import const
from seawall_guard.slots import Slots, numbers

from . import core, load, log

_ORDER = "state/update"
_ATTEMPTS = const(6)  # without progress


def start(agent, trial):
    """Report what runs; go on with what a boot has interrupted."""
    agent.tried = trial
    slots = trial.slots if trial else Slots()
    running(agent, slots)
    if trial or slots.outcome != "-" or read():
        go(agent, slots, trial)


def go(agent, slots, trial=None):
    """Tell what is to be told; then carry out what has been ordered."""
    agent.session = core.create_task(_session(agent, slots, trial))


async def _session(agent, slots, trial):
    if trial:
        await _prove(agent, trial)
        running(agent, slots)
    state = slots.outcome
    if state != "-":
        found = {"n": slots.n, "version": slots.version, "state": state}
        if state != "confirmed":
            outcome(found, "rolled-back", state, False)
        await _deliver(agent, found)
        slots.told()
    found = read()
    if found and found["n"] > slots.n:  # else it has been tried
        if "state" not in found:
            if agent.tried:
                agent.again = 75  # what the guard keeps for a trial is in the way
                return
            agent.session = core.create_task(load("update").run(agent, slots, found))
            return
        await _deliver(agent, found)
    write(None)
    agent.session = None


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
    """Return whether a command about updates has what it needs."""
    if order["cmd"] != "update":
        return True
    target = order["target"] + ""
    numbers(order["version"] + "")
    return 0 < len(target) <= 100 and 0 < order["trial_s"] <= 3600


def obey(agent, order):
    """Keep an order, and carry it out; or drop the one that is not on trial yet."""
    slots = Slots()
    found = read()
    aborts = order["cmd"] != "update"
    if slots.trial != "-":
        if not aborts:
            report(agent, outcome(order, "refused", "busy", True))
        return
    if not aborts:
        found = {name: order[name] for name in ["n", "target", "version", "trial_s"]}
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
    for name in ["version", "state", "percent", "reason", "again"]:
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
        with open(_ORDER) as f:
            found = json.load(f)
        found["n"] + 0, found["version"] + found["target"]
        return found
    except (OSError, ValueError, TypeError, KeyError):
        return None  # torn


def write(found):
    """Keep an order; None: it is done with."""
    if found:
        with open(_ORDER, "w") as f:
            json.dump(found, f)
    elif read():
        os.unlink(_ORDER)


async def _prove(agent, trial):
    # By a reading of its own that the server has stored; the guard sees to it if there is none.
    link = agent.link
    outbox = agent.outbox
    link.why = ()
    first = outbox.end - outbox.lost
    # What the old version left is stored before ours; what had to give way is not stored.
    while not link.up or outbox.start - outbox.lost <= first:
        if link.up:
            trial.reason = "rejected"  # connected, and nothing is stored
        elif link.why:
            refused = len(link.why) > 1 and link.why[0] in [111, -0x7780]  # CONNACK; TLS alert
            trial.reason = "rejected" if refused else "no-connection"
        await core.sleep_ms(50)
    if trial.slots.trial > "b":
        __import__("seawall_guard.partition").partition.confirm()
    trial.confirm()


async def _deliver(agent, found):
    # Until a reading that went out later is stored: what went before it has arrived.
    link = agent.link
    log("update", found["version"], found["state"], found.get("reason", ""))
    while True:
        while not link.up:
            await core.sleep_ms(100)
        connection = link.task
        report(agent, found)
        mark = agent.outbox.end
        while link.up and link.task is connection:
            if agent.outbox.start > mark:
                return
            await core.sleep_ms(50)


async def begin(source, slots, slot):
    """Put a slot, which is complete and verified, on trial."""
    tell(source, "verified")
    tell(source, "trying")
    await core.sleep_ms(300)  # to be sent
    order = source.order
    boots = source.config.get("max_boots", 3)
    slots.begin_trial(slot, order["version"], order["n"], boots, order["trial_s"])
    source.agent.again = 75  # first: an image that the boot loader refuses is the guard's to tell
    if slot > "b":
        __import__("seawall_guard.partition").partition.other()[0].set_boot()


def judge(error, failures):
    """Return state, reason and whether to try again later; None: to be repeated at once."""
    kind = type(error).__name__
    if kind == "Exception" and len(error.args) > 1:
        return error.args
    log("update:", kind, error)
    if kind in ["Exception", "Refused"]:
        reason = error.args[0]
        return "refused", reason, reason in ["expired", "missing"]
    if kind == "OSError" and error.errno == 28:
        return "failed", "flash-full", True
    if kind not in ["OSError", "MemoryError"]:
        return "refused", "malformed", False
    if failures < _ATTEMPTS:
        return None
    return "failed", "network" if kind == "OSError" else "memory", True
