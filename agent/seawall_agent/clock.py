"""What time it is, if anybody can know: the host's clock or NTP, above a floor that only rises."""

import time

from micropython import const

from . import load, log

# Between the time this was written and 2100, as the server demands.
_EARLIEST_S = const(1_767_225_600)
_LATEST_S = const(4_102_444_800)


def epoch_ms():
    """Return the beginning of this machine's time, UTC milliseconds: 1970, or 2000 on some boards."""
    return 946_684_800_000 if time.gmtime(0)[0] == 2000 else 0


def trust_host(agent):
    """Take the host's clock for good, if there is nobody to ask and it can be right."""
    if not agent.ntp and _is_plausible(agent, _here_ms()):
        agent.ahead_ms = epoch_ms()


def _here_ms():
    return time.time_ns() // 1_000_000 + epoch_ms()


def _is_plausible(agent, utc_ms):
    return max(agent.facts[4], _EARLIEST_S) <= utc_ms // 1000 < _LATEST_S


async def settle(agent):
    """Join the network, find out what time it is, and raise the floor.

    Sets ``agent.ahead_ms``: what to add to ``time.time_ns()`` in milliseconds.
    Without an answer the board is set to the floor at least, so that no
    certificate that has expired by then is taken for valid.
    """
    if agent.board:
        await agent.board.connect(agent.wifi)
    facts = agent.facts
    set_clock = agent.board and agent.board.set_clock
    if agent.ntp:
        utc_ms = await load("ntp").ask_any(agent.ntp)
        if _is_plausible(agent, utc_ms):
            agent.ahead_ms = epoch_ms()
            if set_clock:
                set_clock(utc_ms // 1000)
            else:
                agent.ahead_ms += utc_ms - _here_ms()
        elif set_clock and not _is_plausible(agent, _here_ms()):
            set_clock(max(facts[4], _EARLIEST_S))
    else:
        trust_host(agent)
    if agent.ahead_ms is None:
        log("the time is not known")
        return
    now_s = (time.time_ns() // 1_000_000 + agent.ahead_ms) // 1000
    if now_s >= facts[4] + 3600:  # often enough, and kind to flash
        facts[4] = now_s
        load("state").write(facts)
