"""Carries roll-outs out: on what devices report, on what people order, and on time.

It holds nothing that must survive: what was decided stands in the store together
with the orders that follow from it, and whoever starts next goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from seawall.errors import ConflictError
from seawall.ingest.presence import Presence
from seawall.model.device import Device
from seawall.model.rollout import (
    UNDER_WAY,
    DeviceSoftware,
    Rollout,
    RolloutState,
    Way,
    WayState,
)
from seawall.operations.advance_rollout import FleetNow, advance_rollout
from seawall.operations.installation import Installation
from seawall.updates.rollout import may_hold_order

_log = logging.getLogger("seawall.daemon")

POLL_INTERVAL_S: Final = 0.2
TIME_STEP_S: Final = 1.0
"""So often roll-outs are looked at for time's sake alone: silence, soak, retries."""
SHARE: Final = 20
"""It rests so many times as long as it worked."""
CLOCK_STEP_MS: Final = 10_000
"""By more than this the clock does not stray by itself: somebody put it, or the machine slept."""
_UNSETTLED: Final = UNDER_WAY | {WayState.WAITING}


class RolloutRunner:
    """Keeps at the roll-outs that are not over; see the module.

    Args:
        installation: Whose.
        presence: What is known of devices' connections, by id.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        installation: Installation,
        presence: Callable[[], Mapping[str, Presence]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._installation = installation
        self._store = installation.store
        self._presence = presence
        self._clock = clock
        self._listening_since_ms = self._looked_ms = installation.now_ms()
        self._looked_s = clock()
        self._revision = -1
        self._registry = -1
        self._online: frozenset[str] = frozenset()
        self._stepped_s = float("-inf")
        self._devices: dict[str, Device] = {}
        self._software: dict[str, DeviceSoftware] = {}
        self._rollouts: list[tuple[Rollout, list[Way]]] = []
        self._settled: set[str] = set()

    async def run(self) -> None:
        """Poll until cancelled; return only by an exception."""
        while True:
            began_s = self._clock()
            await self.step()
            took_s = self._clock() - began_s
            # A fleet of thousands that reports all the time must not take the processor.
            await asyncio.sleep(max(POLL_INTERVAL_S, took_s * SHARE))

    async def step(self) -> None:
        """Look once, and do what is due.

        Raises:
            StoreError: the store cannot be read or written.
        """
        presence = self._presence()
        online = frozenset(name for name, known in presence.items() if known.online)
        await asyncio.to_thread(self._work, online)

    def _work(self, online: frozenset[str]) -> None:
        is_news = self._read() or online != self._online
        now_s = self._clock()
        self._watch_clock(now_s)
        if not self._rollouts or not (is_news or now_s - self._stepped_s >= TIME_STEP_S):
            return
        self._online, self._stepped_s = online, now_s
        fleet = FleetNow(self._devices, self._software, online, self._listening_since_ms)
        for rollout, ways in self._rollouts:
            try:
                decision = advance_rollout(self._installation, rollout, ways, fleet)
            except ConflictError as error:
                # A report or a person came in between: it is read again, and decided again.
                _log.debug("roll-out %s: %s", rollout.rollout_id, error)
                self._revision = -1
                if rollout.state is RolloutState.ABORTED:
                    break  # what it takes back must come before what a later one orders
                continue
            if decision is None:
                continue
            _tell(rollout.rollout_id, decision.events)
            if decision.offers:
                _log.info(
                    "roll-out %s: %s is offered to %d %s",
                    rollout.rollout_id,
                    rollout.version,
                    len(decision.offers),
                    "device" if len(decision.offers) == 1 else "devices",
                )

    def _watch_clock(self, now_s: float) -> None:
        """See whether the clock was put: then silence is counted anew, as after a start."""
        now_ms = self._installation.now_ms()
        strayed_ms = now_ms - self._looked_ms - 1000 * (now_s - self._looked_s)
        self._looked_ms, self._looked_s = now_ms, now_s
        if abs(strayed_ms) > CLOCK_STEP_MS:
            self._listening_since_ms = now_ms
            _log.warning("the clock went %+.0f s: roll-outs count silence anew", strayed_ms / 1000)

    def _read(self) -> bool:
        """Read what has changed; tell whether anything has."""
        # Revisions first: what changes while we read is read again.
        registry, revision = self._store.registry_revision(), self._store.rollout_revision()
        if (registry, revision) == (self._registry, self._revision):
            return False
        if revision != self._revision:
            self._rollouts = list(self._unfinished())
            self._software = {entry.device_id: entry for entry in self._store.software()}
        if registry != self._registry:
            self._devices = {device.device_id: device for device in self._store.devices()}
        self._registry, self._revision = registry, revision
        return True

    def _unfinished(self) -> list[tuple[Rollout, list[Way]]]:
        found = []
        for rollout in self._store.rollouts():
            name, is_open = rollout.rollout_id, rollout.state.is_open
            if rollout.state is RolloutState.COMPLETE or name in self._settled:
                continue
            ways = self._store.ways(name)
            if is_open or any(way.state in _UNSETTLED or may_hold_order(way) for way in ways):
                found.append((rollout, ways))
            else:  # it was aborted, and what follows from that is done
                self._settled.add(name)
        return found


def _tell(rollout_id: str, events: tuple[tuple[str, dict[str, str]], ...]) -> None:
    for kind, detail in events:
        level = logging.WARNING if kind == "rollout-halted" else logging.INFO
        words = [kind.removeprefix("rollout-"), *detail.values()]
        _log.log(level, "roll-out %s: %s", rollout_id, " ".join(words))
