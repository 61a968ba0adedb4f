"""What time it is, if anybody can know: the host's clock or NTP, above a floor that only rises."""

import os
import socket
import time

from . import core, load, log


def take(agent, told_ms):
    """Take what a server says, or (0) what the clock here says, for the time, if it can be.

    Sets ``agent.ahead_ms``: what to add to ``time.time_ns()`` in milliseconds
    for UTC; None while the time is not known. A board's clock is set, without
    an answer at least to the floor, so that no certificate that has expired by
    then is taken for valid.
    """
    facts = agent.facts
    ahead_ms = 946_684_800_000 if time.gmtime(0)[0] == 2000 else 0  # where some boards begin
    here_ms = time.time_ns() // 1_000_000 + ahead_ms
    utc_ms = told_ms or here_ms
    # Between the time this was written and 2100, as the server demands.
    floor_ms = max(facts[4] * 1000, 1_767_225_600_000)
    if (told_ms or not agent.ntp) and floor_ms <= utc_ms < 4_102_444_800_000:
        agent.ahead_ms = ahead_ms if agent.board else ahead_ms + utc_ms - here_ms
        facts[4] = utc_ms // 1000
    if agent.ahead_ms is None:
        log("the time is not known")
        utc_ms = max(floor_ms, here_ms)
    if agent.board and agent.ntp:
        agent.board.set_clock((utc_ms - ahead_ms) // 1000)


async def settle(agent):
    """Join the network, and find out what time it is."""
    if agent.board:
        await agent.board.connect(agent.wifi)
    told_ms = 0
    for server in agent.ntp or ():
        told_ms = told_ms or await ask(server)
    facts = agent.facts
    before = facts[4]
    take(agent, told_ms)
    if facts[4] > before + 3600:  # kind to flash
        load("state").write(facts)


async def ask(server):
    """Return UTC milliseconds as an NTP server (``host`` or ``host:port``) says, or 0."""
    # What we send as our time comes back: it shows that the answer is to this question.
    nonce = os.urandom(8)
    s = None
    try:
        host, _, port = server.partition(":")
        address = socket.getaddrinfo(host, int(port or 123), 0, socket.SOCK_DGRAM)[0]
        s = socket.socket(address[0], socket.SOCK_DGRAM)
        s.setblocking(False)
        s.connect(address[-1])
        s.send(b"\x23" + bytes(39) + nonce)
        for _ in range(100):
            await core.sleep_ms(20)
            if answer := s.read(48):  # None while there is none
                return utc_of(answer, nonce)
    except OSError:
        pass
    finally:
        if s:
            s.close()
    return 0


def utc_of(answer, nonce):
    """Return UTC milliseconds of an answer (RFC 4330), or 0 if it is none to our question."""
    if answer[24:32] != nonce or answer[0] & 7 != 4 or answer[0] > 191 or not 0 < answer[1] < 16:
        return 0
    seconds = int.from_bytes(answer[40:44], "big")
    if seconds < 1 << 31:
        seconds += 1 << 32  # the era that begins in 2036
    # Seconds from 1900 to 1970.
    return (seconds - 2_208_988_800) * 1000 + (int.from_bytes(answer[44:46], "big") * 1000 >> 16)
