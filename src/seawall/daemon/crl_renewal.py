"""Renews the revocation list long before it ends: no device can connect after that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from seawall.operations.installation import Installation

_log = logging.getLogger("seawall.daemon")

RENEW_BEFORE: Final = timedelta(days=400)
"""About half of a list's life: a year and more is left to whoever must bring out a passphrase."""
CHECK_EVERY_S: Final = 24 * 3600.0


class Renewal(Enum):
    """What is to be done about a revocation list."""

    NOTHING = "nothing"
    RENEW = "renew"
    WARN = "warn"


def decide(ends: datetime, now: datetime, *, needs_passphrase: bool) -> Renewal:
    """Return what is to be done about a list that ends at ``ends``.

    Args:
        ends: When it ends.
        now: The time.
        needs_passphrase: Whether the issuing key is encrypted, so that nobody here can sign.
    """
    if ends - now >= RENEW_BEFORE:
        return Renewal.NOTHING
    return Renewal.WARN if needs_passphrase else Renewal.RENEW


class CrlRenewal:
    """Looks at the list at the start and once a day.

    Args:
        installation: Whose list.
        take_in: Has the broker take the list up anew.
    """

    def __init__(self, installation: Installation, take_in: Callable[[], Awaitable[None]]) -> None:
        self._installation = installation
        self._take_in = take_in

    async def run(self) -> None:
        """Serve until cancelled; return only by an exception."""
        while True:
            await self.step()
            await asyncio.sleep(CHECK_EVERY_S)

    async def step(self) -> None:
        """Look once.

        Raises:
            KeyAccessError: the issuing key cannot be read.
            StateError: the list cannot be read or written.
        """
        keystore, now = self._installation.keystore, self._installation.now()
        ends = await asyncio.to_thread(keystore.crl_ends)
        action = decide(ends, now, needs_passphrase=keystore.needs_passphrase)
        if action is Renewal.WARN:
            _log.warning(
                "the revocation list ends on %s, and no device can connect after that; it cannot "
                "be renewed here, for the issuing key has a passphrase: 'seawall device revoke' "
                "with it writes the list anew",
                f"{ends:%Y-%m-%d}",
            )
        elif action is Renewal.RENEW:
            await asyncio.to_thread(self._renew)
            await self._take_in()
            _log.info(
                "the revocation list was renewed; it ends on %s now", f"{keystore.crl_ends():%F}"
            )

    def _renew(self) -> None:
        keystore = self._installation.keystore
        keystore.renew_crl(self._installation.now(), keystore.authority())
