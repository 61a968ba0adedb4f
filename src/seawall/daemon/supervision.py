"""Keeps a part of the daemon running."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from seawall.errors import ServiceError

_log = logging.getLogger("seawall.daemon")

FIRST_DELAY_S: Final = 0.2
LONGEST_DELAY_S: Final = 10.0
HEALTHY_AFTER_S: Final = 60.0


def next_delay_s(previous_s: float, lived_s: float) -> float:
    """Return how long to wait before a part is started again.

    Args:
        previous_s: The last such wait; 0 at first.
        lived_s: How long the part ran. After `HEALTHY_AFTER_S` its past is forgotten.
    """
    if previous_s == 0 or lived_s >= HEALTHY_AFTER_S:
        return FIRST_DELAY_S
    return min(previous_s * 2, LONGEST_DELAY_S)


async def supervise(name: str, part: Callable[[], Awaitable[None]]) -> None:
    """Run a part until it returns or is cancelled; start it again when it fails.

    Raises:
        ServiceError: the part said that it cannot go on, which a restart would not mend.
    """
    delay_s = 0.0
    while True:
        started = time.monotonic()
        try:
            await part()
        except ServiceError:
            raise
        except Exception:
            delay_s = next_delay_s(delay_s, time.monotonic() - started)
            _log.exception("%s failed; it is started again in %.1f s", name, delay_s)
            await asyncio.sleep(delay_s)
        else:
            return
