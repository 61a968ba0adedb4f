"""Tells devices ``stored`` behind a broker whose PUBACK promises nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from seawall.errors import SeawallError
from seawall.wire.commands import seal_command, stored

NOTICE_DELAY_S: Final = 0.05
"""News are gathered this long at least: one notice then stands for many readings."""
PACE_S: Final = 0.001
"""News of many devices are gathered longer: at most a thousand notices a second."""
AT_ONCE: Final = 100
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
            await asyncio.sleep(max(NOTICE_DELAY_S, PACE_S * len(self._waiting)))
            self._ready.clear()
            waiting, self._waiting = self._waiting, {}
            failed = await self._tell(waiting)
            if failed:
                # What has become newer meanwhile stands.
                self._waiting = {**failed, **self._waiting}
                self._ready.set()
                await asyncio.sleep(RETRY_S)

    async def _tell(self, news: Mapping[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """Publish notices, some at once; return those that the broker did not take."""
        failed: dict[str, tuple[int, int]] = {}
        names = list(news)
        for first in range(0, len(names), AT_ONCE):
            some = names[first : first + AT_ONCE]
            answers = await asyncio.gather(
                *(self._tell_one(name, *news[name]) for name in some), return_exceptions=True
            )
            for name, answer in zip(some, answers, strict=True):
                if isinstance(answer, SeawallError):
                    failed[name] = news[name]
                    error = answer
                elif isinstance(answer, BaseException):
                    raise answer
        if failed:
            _log.warning("%d devices were not told what is stored: %s", len(failed), error)
        return failed

    async def _tell_one(self, device_id: str, boot: int, seq: int) -> None:
        key = self._key_of(device_id)
        if key is not None:  # else it was removed meanwhile
            await self._publish(*seal_command(stored(boot, seq), device_id, key))
            self.sent += 1
