"""Slows down guessing of passwords. Pure: the clock comes in as an argument."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

FREE_ATTEMPTS: Final = 4
"""So many attempts in a row cost no wait: people mistype."""
BASE_WAIT_MS: Final = 1_000
MAX_WAIT_MS: Final = 15 * 60_000
FORGET_MS: Final = 24 * 3_600_000
"""Attempts are forgotten after a day without one."""
MAX_KEYS: Final = 20_000
"""At most so many names and addresses are remembered; the ones not seen longest go first."""

Key = tuple[str, ...]


@dataclass(slots=True)
class _Attempts:
    count: int
    last_ms: int


def network_of(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


class SignInThrottle:
    """Exponential delay by user name and by address.

    An attempt counts as failed from its beginning, so that many at a time gain
    nothing, and is taken back when it succeeds. A sender that signed in as a
    user before is counted apart for that user: guessing from elsewhere does not
    lock the owner out. Names that do not exist are treated like those that do.
    """

    def __init__(self) -> None:
        self._attempts: OrderedDict[Key, _Attempts] = OrderedDict()
        self._trusted: OrderedDict[Key, None] = OrderedDict()

    def begin(self, user: str, address: str, now_ms: int) -> int:
        """Count an attempt, unless it comes too early.

        Returns:
            0 if the attempt may go on, else how many milliseconds to wait (it was not counted).
        """
        keys = self._keys(user, address)
        wait_ms = max(self._wait_ms(key, now_ms) for key in keys)
        if wait_ms > 0:
            return wait_ms
        for key in keys:
            known = self._attempts.get(key)
            if known is None or now_ms - known.last_ms > FORGET_MS:
                known = self._attempts[key] = _Attempts(0, now_ms)
            known.count += 1
            known.last_ms = now_ms
            self._attempts.move_to_end(key)
        while len(self._attempts) > MAX_KEYS:
            self._attempts.popitem(last=False)
        return 0

    def succeeded(self, user: str, address: str) -> None:
        """Forget the failures of this user and sender, and trust the pair from now on."""
        for key in self._keys(user, address):
            self._attempts.pop(key, None)
        self._trusted[user, network_of(address)] = None
        while len(self._trusted) > MAX_KEYS:
            self._trusted.popitem(last=False)

    def _keys(self, user: str, address: str) -> tuple[Key, Key]:
        network = network_of(address)
        if (user, network) in self._trusted:
            return ("user", user, network), ("address", network)
        return ("user", user), ("address", network)

    def _wait_ms(self, key: Key, now_ms: int) -> int:
        known = self._attempts.get(key)
        if known is None or known.count < FREE_ATTEMPTS:
            return 0
        if now_ms - known.last_ms > FORGET_MS:
            return 0
        delay_ms = min(BASE_WAIT_MS << min(known.count - FREE_ATTEMPTS, 20), MAX_WAIT_MS)
        return max(0, known.last_ms + delay_ms - now_ms)
