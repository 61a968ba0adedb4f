"""Tells devices ``stored`` behind a broker whose PUBACK promises nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from seawall.errors import SeawallError
from seawall.wire.commands import seal_command, stored

NOTICE_DELAY_S: Final = 0.05
"""News of a device are gathered this long: one notice then stands for many readings."""
RETRY_S: Final = 1.0

Publish = Callable[[str, bytes], Awaitable[None]]
"""Topic and payload; raises ServiceError if the broker cannot take it now."""

_log = logging.getLogger("seawall.ingest")


class Notices:
    """The newest line of each device, waiting to be told.

    Args:
        publish: Hands a message to the broker.
        key_of: The key of a device; None if it has none any more.
    """

    def __init__(self, publish: Publish, key_of: Callable[[str], bytes | None]) -> None:
        self._publish = publish
        self._key_of = key_of
        self._waiting: dict[str, tuple[int, int]] = {}
        self._ready = asyncio.Event()
        self.sent = 0

    def add(self, news: Mapping[str, tuple[int, int]]) -> None:
        """Take in what is durable now; newer lines replace older ones."""
        if news:
            self._waiting.update(news)
            self._ready.set()

    async def run(self) -> None:
        """Publish until cancelled. What cannot be published is tried again."""
        while True:
            await self._ready.wait()
            await asyncio.sleep(NOTICE_DELAY_S)
            self._ready.clear()
            waiting, self._waiting = self._waiting, {}
            for device_id, (boot, seq) in waiting.items():
                key = self._key_of(device_id)
                if key is None:
                    continue
                try:
                    await self._publish(*seal_command(stored(boot, seq), device_id, key))
                except SeawallError as error:
                    _log.warning("cannot tell devices what is stored: %s", error)
                    # What is newer by now stands; the rest goes back.
                    self._waiting = {**waiting, **self._waiting}
                    self._ready.set()
                    await asyncio.sleep(RETRY_S)
                    break
                self.sent += 1
