"""A question to an NTP server (SNTP, RFC 4330)."""

import os
import socket
from time import ticks_diff, ticks_ms

from micropython import const

from . import core

_TIMEOUT_MS = const(2000)


async def ask_any(servers):
    """Return UTC milliseconds as the first server that answers says, or 0."""
    for server in servers:
        host, _, port = server.partition(":")
        utc_ms = await ask(host, int(port or 123))
        if utc_ms:
            return utc_ms
    return 0


async def ask(host, port):
    """Return UTC milliseconds as a server says, or 0."""
    s = None
    try:
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_DGRAM)[0]
        s = socket.socket(address[0], socket.SOCK_DGRAM)
        s.setblocking(False)
        s.connect(address[-1])
        # What we send as our time comes back: it shows that the answer is to this question.
        nonce = os.urandom(8)
        s.send(b"\x23" + bytes(39) + nonce)
        start = ticks_ms()
        while ticks_diff(ticks_ms(), start) < _TIMEOUT_MS:
            await core.sleep_ms(20)
            try:
                if utc_ms := utc_of(s.recv(48), nonce):
                    return utc_ms
            except OSError as error:
                if error.errno != 11:  # EAGAIN
                    break
    except OSError:
        pass
    finally:
        if s:
            s.close()
    return 0


def utc_of(answer, nonce):
    """Return UTC milliseconds that an answer holds, or 0 if it is none to our question."""
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3:
        return 0
    if not 0 < answer[1] < 16 or answer[24:32] != nonce:
        return 0
    seconds = int.from_bytes(answer[40:44], "big")
    if seconds < 1 << 31:
        seconds += 1 << 32  # the era that begins in 2036
    # Seconds from 1900 to 1970.
    return (seconds - 2_208_988_800) * 1000 + (int.from_bytes(answer[44:46], "big") * 1000 >> 16)
