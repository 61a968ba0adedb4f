"""How a connection ends, and when the next one is tried."""

from random import randrange
from time import ticks_add, ticks_ms

from . import log

_WORDS = {
    71: "protocol error",
    104: "closed by the server",
    110: "timed out",
    111: "refused by the server",
}


def hang_up(link):
    """End a connection, say why, and set the time of the next attempt."""
    error = link.down
    code = error.args[0] if error.args else 0
    if isinstance(error, ValueError):  # so Mbed TLS names what a certificate lacks
        text = "refused server certificate: " + str(error).strip().replace("\n", ", ")
    elif code == -0x3000:
        text = "refused server certificate: not pinned"
    else:
        text = "not connected: %s %s" % (_WORDS.get(code) or type(error).__name__, error)
    log(text)
    link.task.cancel()
    if link.s:
        link.s.close()
    link.task = link.s = link.out = link.down = None
    link.up = False
    # 1 to 60 s, doubled at each failure, less a random part so that a fleet spreads.
    longest = min(60_000, 2000 << min(link.failures, 5))
    link.failures += 1
    link.at = ticks_add(ticks_ms(), randrange(longest // 2, longest))
