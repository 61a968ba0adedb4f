"""The part of the checking wrapper that is about roll-outs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seawall.model.event import Event
from seawall.model.ids import is_device_id
from seawall.model.rollout import (
    MAX_STEPS,
    DeviceReport,
    DeviceSoftware,
    Rollout,
    RolloutChange,
    RolloutState,
    Way,
    WayState,
)
from seawall.store.contract import Store

Require = Callable[[bool, str], None]


class CheckingRollouts:
    """Holds `RolloutStore` to its contract; a part of `CheckingStore`.

    Args:
        store: The one that does the work.
        require: Raises the given words unless what it is told holds.
    """

    def __init__(self, store: Store, require: Require) -> None:
        self._store = store
        self._require = require
        self._rollout_revision = -1

    def add_rollout(self, rollout: Rollout, ways: Sequence[Way], event: Event) -> None:
        """Check that a new roll-out with ways of its own goes in."""
        self._require(rollout.revision == 0, f"not as a new one: {rollout}")
        self._require(rollout.state is RolloutState.RUNNING, f"not as a new one: {rollout}")
        names = [way.device_id for way in ways]
        self._require(len(names) == len(set(names)), f"a device twice: {names}")
        for way in ways:
            self._require(way.revision == 0, f"not as a new one: {way}")
            self._check_way(way, rollout.rollout_id)
        before = self._store.rollout_revision()
        self._store.add_rollout(rollout, ways, event)
        self._require(self.rollout_revision() > before, "the revision did not grow")
        kept = self._store.ways(rollout.rollout_id)
        self._require([way.device_id for way in kept] == sorted(names), f"not kept: {names}")

    def rollout(self, rollout_id: str) -> Rollout | None:
        """Check that it is the one asked for."""
        found = self._store.rollout(rollout_id)
        right = found is None or found.rollout_id == rollout_id
        self._require(right, f"{found}, not {rollout_id}")
        return found

    def rollouts(self) -> list[Rollout]:
        """Check that none comes twice, and none begins before the one before it."""
        found = self._store.rollouts()
        names = [rollout.rollout_id for rollout in found]
        self._require(len(names) == len(set(names)), f"one comes twice: {names}")
        for rollout in found:
            is_over = not rollout.state.is_open
            self._require((rollout.ended_ms is not None) == is_over, f"half ended: {rollout}")
        return found

    def ways(self, rollout_id: str) -> list[Way]:
        """Check that they are of this roll-out, sorted and possible."""
        found = self._store.ways(rollout_id)
        names = [way.device_id for way in found]
        self._require(names == sorted(set(names)), f"not sorted: {names}")
        for way in found:
            self._check_way(way, rollout_id)
        return found

    def way_counts(self) -> dict[str, dict[WayState, int]]:
        """Check that counts are above nothing."""
        found = self._store.way_counts()
        for rollout_id, counts in found.items():
            self._require(all(count > 0 for count in counts.values()), f"empty: {rollout_id}")
        return found

    def change_rollout(self, change: RolloutChange) -> None:
        """Check that what was written stands there, each a revision later."""
        rollout = change.rollout
        for way in change.ways:
            self._check_way(way, rollout.rollout_id)
        ordered = {(order.device_id, order.n) for order in change.orders}
        self._require(len(ordered) == len(change.orders), f"a command twice: {change.orders}")
        before = self.rollout_revision()
        self._store.change_rollout(change)
        self._require(self.rollout_revision() > before, "the revision did not grow")
        kept = self._store.rollout(rollout.rollout_id)
        right = kept is not None and kept.revision > rollout.revision
        self._require(right, f"{kept} is not a change of {rollout}")

    def note_reports(self, reports: Sequence[DeviceReport]) -> int:
        """Check that no more are news than were given, and the revision tells of them."""
        before = self.rollout_revision()
        found = self._store.note_reports(reports)
        self._require(0 <= found <= len(reports), f"{found} of {len(reports)} are news")
        grew = self.rollout_revision() > before
        self._require(grew or not found, "the revision did not grow")
        return found

    def software(self) -> list[DeviceSoftware]:
        """Check that each device says one thing."""
        found = self._store.software()
        names = [entry.device_id for entry in found]
        self._require(names == sorted(set(names)), f"not sorted: {names}")
        return found

    def rollout_revision(self) -> int:
        """Check that it never falls."""
        before = self._rollout_revision
        found = self._store.rollout_revision()
        self._require(found >= before, f"it fell from {before}: {found}")
        self._rollout_revision = max(self._rollout_revision, found)
        return found

    def _check_way(self, way: Way, rollout_id: str) -> None:
        self._require(way.rollout_id == rollout_id, f"not of {rollout_id}: {way}")
        self._require(is_device_id(way.device_id), f"no device id: {way}")
        self._require(way.cohort >= 0 and way.revision >= 0, f"below nothing: {way}")
        self._require(len(way.steps) <= MAX_STEPS, f"too many steps: {way}")
        self._require((way.n is None) == (way.attempts == 0), f"half an offer: {way}")
        is_loading = way.state is WayState.DOWNLOADING
        self._require(way.percent is None or is_loading, f"a percentage of what: {way}")
