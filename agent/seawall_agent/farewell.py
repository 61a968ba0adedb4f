"""How a connection ends, and when the next one is tried."""

from random import randrange
from time import ticks_add, ticks_ms

from . import core, log


def close(link):
    """End a connection, say why, and set the time of the next attempt."""
    error = link.down
    code = error.args and error.args[0]
    if isinstance(error, ValueError) or code in [-0x3000, -0x7A00]:
        # So Mbed TLS names what a certificate lacks, and so it passes on what dial.judge says.
        what = "not pinned" if code == -0x3000 else str(error).strip().replace("\n", ", ")
        log("refused server certificate:", what)
    else:
        log("not connected:", type(error).__name__, error)
    link.task.cancel()
    if link.agent.session:  # it waits in the queue, too, and wants to know
        link.why = error.args
    else:
        # A deleted entry of a dict is not wiped: the old queue would keep the TLS socket in memory.
        core._io_queue = core.IOQueue()
    for s in (link.s, link.raw):  # after a failed handshake the one does not close the other
        if s:
            s.close()
    link.outbox.backlog = link.task = link.s = link.raw = link.out = link.down = link.up = None
    # 1 to 60 s, doubled at each failure, less a random part so that a fleet spreads.
    longest = min(60_000, 2000 << min(link.tries, 5))
    link.tries += 1
    link.at = ticks_add(ticks_ms(), randrange(longest // 2, longest))
    if isinstance(error, MemoryError):
        link.agent.starved += 4  # so that the third attempt is the last
