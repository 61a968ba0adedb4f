"""Notices that the registry changed, by whichever process, and has it enforced."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from seawall.broker.policy import AccessPolicy, policy_of
from seawall.broker.port import Broker
from seawall.ingest.service import Ingest
from seawall.operations.installation import Installation
from seawall.operations.lend_identities import read_lent

_log = logging.getLogger("seawall.daemon")

POLL_INTERVAL_S: Final = 0.2


class RegistryWatch:
    """Keeps ingest and broker at what the registry says.

    Args:
        installation: Whose registry.
        ingest: Gets keys and states of devices.
        broker: Gets the access policy.
        taken_in: Told the revision of the registry, and the identities that are lent to an
            audit, that are in force now.
    """

    also: Callable[[AccessPolicy], None] | None = None
    """Enforces the policy where devices fetch releases."""

    def __init__(
        self,
        installation: Installation,
        ingest: Ingest,
        broker: Broker,
        taken_in: Callable[[int, Collection[str]], None],
    ) -> None:
        self._installation = installation
        self._taken_in = taken_in
        self._ingest = ingest
        self._broker = broker
        self._master = installation.keystore.master_key()
        self._revision = -1
        self._lent: Mapping[str, str] = {}
        self._is_in_force = True
        self._taking_in = asyncio.Lock()

    @property
    def revision(self) -> int:
        """Of the registry as it is in force."""
        return self._revision

    def read(self) -> AccessPolicy:
        """Take the registry in, and return the policy that the caller starts everything with.

        Raises:
            StoreError: the registry cannot be read.
            OSError: the revocation list cannot be read.
        """
        self._revision, policy = self._read()
        return policy

    def _read(self) -> tuple[int, AccessPolicy]:
        store = self._installation.store
        # The revision first: what changes while we read is read again.
        revision = store.registry_revision()
        devices = store.devices()
        self._ingest.update_devices(devices, self._master)
        return revision, policy_of(devices, self._installation.keystore.crl_pem())

    async def run(self) -> None:
        """Poll until cancelled; return only by an exception."""
        store = self._installation.store
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            revision = await asyncio.to_thread(store.registry_revision)
            lent = read_lent(self._installation.paths, self._installation.now_ms())
            if not self._is_in_force or revision != self._revision or lent != self._lent:
                await self.take_in()

    async def take_in(self) -> None:
        """Read the registry and the revocation list, and have them enforced.

        What fails here is done again by `run`, until all of it is in force.

        Raises:
            StoreError: the registry cannot be read.
            SeawallError: as the broker, or `also`.
        """
        async with self._taking_in:
            self._is_in_force = False
            lent = read_lent(self._installation.paths, self._installation.now_ms())
            revision, policy = self._read()
            try:
                # The broker alone lets them in: they are no devices, and fetch no releases. Nor
                # can one stand in for a device, whatever the file says.
                await self._broker.apply(replace(policy, active={**lent, **policy.active}))
            finally:
                # Who is shut out there, and not here, is half shut out at least.
                if self.also is not None:
                    self.also(policy)
            self._taken_in(revision, lent.keys())
            self._revision, self._lent, self._is_in_force = revision, lent, True
        _log.info(
            "registry taken in: %d devices may connect, %d may not",
            len(policy.active),
            len(policy.refused),
        )
