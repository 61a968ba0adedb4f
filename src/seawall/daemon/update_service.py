"""Serves and renews the update repository, from the moment there is one."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from seawall.broker.policy import AccessPolicy
from seawall.daemon.update_listener import UpdateListener
from seawall.errors import SeawallError
from seawall.model.reading import Refusal
from seawall.operations.installation import Installation
from seawall.operations.renew_updates import renew_updates
from seawall.pki.contexts import mqtt_server_context
from seawall.store.refusal_filter import RefusalFilter
from seawall.updates.repository import Repository

_log = logging.getLogger("seawall.updates")

LOOK_EVERY_S: Final = 1.0
"""How soon the endpoint opens after 'seawall release keys create'."""
RETRY_S: Final = 10.0
RENEW_EVERY_S: Final = 3600.0
RENEW_RETRY_S: Final = 60.0
BUSY_TIMES: Final = 60
"""So often, one after the other, another process may have the repository before a warning."""


class UpdateService:
    """The endpoint: closed while there are no update keys, so that no port is open for nothing.

    Args:
        installation: Whose.
        refuse: Takes refusals; called on the event loop.
        policy: Who may connect.
        opened: Told the port once it is listened on.
    """

    def __init__(
        self,
        installation: Installation,
        refuse: Callable[[Refusal], None],
        policy: AccessPolicy,
        opened: Callable[[int], None],
    ) -> None:
        paths = installation.paths
        self._repository = Repository(Path(paths.updates))
        self._opened = opened
        self._listener = UpdateListener(
            installation.settings.updates,
            Path(paths.updates),
            context=lambda crl_pem: mqtt_server_context(installation.keystore, crl_pem),
            policy=policy,
            refusals=RefusalFilter(refuse, clock=time.monotonic, now_ms=installation.now_ms),
            now_s=lambda: installation.now_ms() / 1000,
        )

    @property
    def port(self) -> int | None:
        """TCP port that is listened on, if it is."""
        return self._listener.port

    def open(self) -> None:
        """Listen if there are update keys.

        Raises:
            ServiceError: the port is taken.
            ConfigurationError: the address is not this machine's.
            KeyAccessError: a key cannot be used.
        """
        if self._listener.port is None and self._repository.exists:
            self._opened(self._listener.bind())

    def apply(self, policy: AccessPolicy) -> None:
        """Enforce a new policy."""
        self._listener.apply(policy)

    async def run(self) -> None:
        """Serve until cancelled, from the moment that there are update keys."""
        while self._listener.port is None:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                self.open()
            except SeawallError as error:
                # The daemon serves already: that goes on, whatever is wrong here.
                _log.error("releases cannot be served: %s", error)
                await asyncio.sleep(RETRY_S)
        await self._listener.run()

    async def stop(self) -> None:
        """Stop listening, end connections."""
        await self._listener.stop()


class UpdateRenewal:
    """Keeps snapshot and timestamp fresh: looks at the start, and every hour.

    Args:
        installation: Whose.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._busy_times = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            wait_s = await self.step()
            await asyncio.sleep(wait_s)

    async def step(self) -> float:
        """Look once; return how long to wait until the next time, in seconds."""
        try:
            renewed = await asyncio.to_thread(renew_updates, self._installation)
        except SeawallError as error:
            _log.error("the update repository cannot be renewed: %s", error)
            return RENEW_RETRY_S
        if renewed.is_busy:
            self._busy_times += 1
            if self._busy_times % BUSY_TIMES == 0:
                _log.warning(
                    "the update repository cannot be renewed for an hour: a 'seawall release' "
                    "waits for a passphrase; answer or end it, before the timestamp ends"
                )
            return RENEW_RETRY_S
        self._busy_times = 0
        if renewed.written:
            _log.info("update repository: %s renewed", " and ".join(renewed.written))
        for role, days in renewed.ends_soon.items():
            _log.warning(
                "update repository: %s ends in %d days, and devices take no release after that: %s",
                role,
                days,
                "seawall release keys renew",
            )
        return RENEW_EVERY_S
