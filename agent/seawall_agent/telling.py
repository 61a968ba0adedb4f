"""Tells the server what came of a trial or an order, until it knows; and proves a trial."""

from . import core, load, log


async def tell(agent, slots, trial):
    """Do all that is to be done before an order is carried out, then that."""
    if trial:
        await _prove(agent, trial)
        load("software").running(agent, slots)
    outcome = slots.outcome
    if outcome != "-":
        found = {"n": slots.n, "version": slots.version, "state": outcome}
        if outcome != "confirmed":
            load("software").outcome(found, "rolled-back", outcome, False)
        await _deliver(agent, found)
        slots.told()
    found = load("software").read()
    if found and found["n"] > slots.n:  # else it has been tried
        if "state" not in found:
            if agent.tried:
                agent.again = 75  # what the guard keeps for a trial is in the way
                return
            agent.session = core.create_task(load("update").run(agent, slots, found))
            return
        await _deliver(agent, found)
    load("software").write(None)
    agent.session = None


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
            refused = len(link.why) > 1 and link.why[0] in (111, -0x7780)  # CONNACK; TLS alert
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
        load("software").report(agent, found)
        mark = agent.outbox.end
        while link.up and link.task is connection:
            if agent.outbox.start > mark:
                return
            await core.sleep_ms(50)
