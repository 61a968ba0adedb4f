"""A question to an NTP server (SNTP, RFC 4330)."""

import asyncio
import os
import socket

from .transport import readable

TIMEOUT_S = 2


async def ask(server, port=123):
    """Return UTC milliseconds as a server says, or None."""
    try:
        address = socket.getaddrinfo(server, port, 0, socket.SOCK_DGRAM)[0]
        s = socket.socket(address[0], socket.SOCK_DGRAM)
    except OSError:
        return None
    try:
        s.setblocking(False)
        s.connect(address[-1])
        # What we send as our time comes back: it shows that the answer is to this question.
        nonce = os.urandom(8)
        s.send(b"\x23" + bytes(39) + nonce)
        await asyncio.wait_for(readable(s), TIMEOUT_S)
        return _time(s.recv(48), nonce)
    except (OSError, asyncio.TimeoutError):
        return None
    finally:
        s.close()


def _time(answer, nonce):
    if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3:
        return None
    if not 0 < answer[1] < 16 or bytes(answer[24:32]) != nonce:
        return None
    seconds = int.from_bytes(answer[40:44], "big")
    if seconds < 1 << 31:
        seconds += 1 << 32  # the era that begins in 2036
    # Seconds from 1900 to 1970.
    return (seconds - 2_208_988_800) * 1000 + (int.from_bytes(answer[44:46], "big") * 1000 >> 16)
