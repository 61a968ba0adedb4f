"""Notices that the registry changed, by whichever process, and has it enforced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from seawall.broker.policy import AccessPolicy, policy_of
from seawall.broker.port import Broker
from seawall.ingest.service import Ingest
from seawall.operations.installation import Installation

_log = logging.getLogger("seawall.daemon")

POLL_INTERVAL_S: Final = 0.2


class RegistryWatch:
    """Keeps ingest and broker at what the registry says.

    Args:
        installation: Whose registry.
        ingest: Gets keys and states of devices.
        broker: Gets the access policy.
        taken_in: Told the revision of the registry that is in force now.
    """

    also: Callable[[AccessPolicy], None] | None = None
    """Enforces the policy where devices fetch releases."""

    def __init__(
        self,
        installation: Installation,
        ingest: Ingest,
        broker: Broker,
        taken_in: Callable[[int], None],
    ) -> None:
        self._installation = installation
        self._taken_in = taken_in
        self._ingest = ingest
        self._broker = broker
        self._master = installation.keystore.master_key()
        self._revision = -1
        self._taking_in = asyncio.Lock()

    @property
    def revision(self) -> int:
        """Of the registry as it was read last."""
        return self._revision

    def read(self) -> AccessPolicy:
        """Take the registry in, and return the policy that follows from it.

        Raises:
            StoreError: the registry cannot be read.
        """
        store = self._installation.store
        # The revision first: what changes while we read is read again.
        self._revision = store.registry_revision()
        devices = store.devices()
        self._ingest.update_devices(devices, self._master)
        return policy_of(devices, self._installation.keystore.crl_pem())

    async def run(self) -> None:
        """Poll until cancelled; return only by an exception."""
        store = self._installation.store
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            revision = await asyncio.to_thread(store.registry_revision)
            if revision != self._revision:
                await self.take_in()

    async def take_in(self) -> None:
        """Read the registry and the revocation list, and have them enforced.

        Raises:
            StoreError: the registry cannot be read.
        """
        async with self._taking_in:
            policy = self.read()
            await self._broker.apply(policy)
            if self.also is not None:
                self.also(policy)
            self._taken_in(self._revision)
        _log.info(
            "registry taken in: %d devices may connect, %d may not",
            len(policy.active),
            len(policy.refused),
        )
