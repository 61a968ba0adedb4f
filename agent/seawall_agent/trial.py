"""How a new version proves itself: by a reading of its own that the server has stored."""

from . import core, log


async def prove(agent, trial):
    """Confirm the version that runs once it has proved itself; see the guard for what if not."""
    link = agent.link
    outbox = agent.outbox
    link.why = ()
    first = outbox.end
    lost = outbox.lost
    # What the old version left is stored before ours. What had to give way is not stored.
    while not link.up or outbox.start - first <= outbox.lost - lost:
        if link.up:
            trial.reason = "rejected"  # connected, and nothing is stored
        elif link.why:
            refused = len(link.why) > 1 and link.why[0] in (111, -0x7780)  # CONNACK; TLS alert
            trial.reason = "rejected" if refused else "no-connection"
        await core.sleep_ms(50)
    if trial.slots.trial > "b":
        __import__("seawall_guard.partition").partition.confirm()
    trial.confirm()
    log("version", trial.slots.version, "confirmed")
