"""How a connection ends, and when the next one is tried."""

import gc
from random import randrange
from time import ticks_add, ticks_ms

from . import log


def close(link):
    """End a connection, say why, and set the time of the next attempt."""
    error = link.down
    link.why = error.args
    code = error.args and error.args[0]
    if isinstance(error, ValueError) or code in (-0x3000, -0x7A00):
        # So Mbed TLS names what a certificate lacks, and so it passes on what Link.judge says.
        error = "not pinned" if code == -0x3000 else str(error).strip().replace("\n", ", ")
        log("refused server certificate:", error)
    else:
        log("not connected:", type(error).__name__, error)
    link.task.cancel()
    for s in (link.s, link.raw):  # after a failed handshake the one does not close the other
        if s:
            s.close()
    link.task = link.s = link.raw = s = link.out = link.down = error = None
    link.agent.context.verify_callback = None  # it keeps dial.py in memory
    gc.collect()
    link.up = False
    try:
        link.agent.spare = bytearray(640)
    except MemoryError:
        pass
    # 1 to 60 s, doubled at each failure, less a random part so that a fleet spreads.
    longest = min(60_000, 2000 << min(link.tries, 5))
    link.tries += 1
    link.at = ticks_add(ticks_ms(), randrange(longest // 2, longest))


def stop(agent):
    """End it all, to start again: on a board for good."""
    if agent.link.s:
        agent.link.s.close()
    if agent.board:
        agent.board.restart()
