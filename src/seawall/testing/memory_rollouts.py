"""Roll-outs in memory; a part of `MemoryStore`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from seawall.errors import ConflictError
from seawall.model.command import QueuedCommand
from seawall.model.event import Event
from seawall.model.release import parse_version
from seawall.model.rollout import (
    KEPT_ROLLOUTS,
    DeviceReport,
    DeviceSoftware,
    Rollout,
    RolloutChange,
    RunningReport,
    UpdateReport,
    Way,
    WayState,
    software_after,
    way_after,
    way_after_running,
)
from seawall.testing.memory_lock import Lockable, locked


class MemoryRollouts(Lockable):
    """Implements `store.contract.RolloutStore`."""

    def __init__(self) -> None:
        super().__init__()
        self._rollouts: dict[str, Rollout] = {}
        self._ways: dict[str, dict[str, Way]] = {}
        self._software: dict[str, DeviceSoftware] = {}
        self._rollout_revision = 0

    def log(self, events: Iterable[Event]) -> None:
        """Append events."""
        raise NotImplementedError

    def last_command_number(self, device_id: str) -> int:
        """Return the greatest number of a command that this device was ever given."""
        raise NotImplementedError

    def _queue(self, command: QueuedCommand) -> None:
        raise NotImplementedError

    @locked
    def add_rollout(self, rollout: Rollout, ways: Sequence[Way], event: Event) -> None:
        """Keep a new roll-out (see `RolloutStore.add_rollout`)."""
        names = {way.device_id for way in ways}
        for other in self._rollouts.values():
            taken = names.intersection(self._ways[other.rollout_id])
            if other.state.is_open and taken:
                raise ConflictError(
                    f"device {min(taken)} is in roll-out {other.rollout_id}, which is not over",
                    reference="rollout-overlaps",
                )
        if rollout.rollout_id in self._rollouts:
            raise ConflictError(
                f"roll-out {rollout.rollout_id} exists already", reference="rollout-exists"
            )
        self._rollouts[rollout.rollout_id] = rollout
        self._ways[rollout.rollout_id] = {way.device_id: way for way in ways}
        over = [each for each, old in self._rollouts.items() if not old.state.is_open]
        for old_id in over[: max(0, len(over) - KEPT_ROLLOUTS)]:
            del self._rollouts[old_id], self._ways[old_id]
        self.log([event])
        self._rollout_revision += 1

    @locked
    def rollout(self, rollout_id: str) -> Rollout | None:
        """Return one roll-out."""
        return self._rollouts.get(rollout_id)

    @locked
    def rollouts(self) -> list[Rollout]:
        """Return all roll-outs that are kept, in the order in which they were started."""
        return list(self._rollouts.values())

    @locked
    def ways(self, rollout_id: str) -> list[Way]:
        """Return the way of every device in a roll-out, sorted by device."""
        ways = self._ways.get(rollout_id, {})
        return [ways[name] for name in sorted(ways)]

    @locked
    def way_counts(self) -> dict[str, dict[WayState, int]]:
        """Return how many devices have come how far, by roll-out."""
        return {
            rollout_id: dict(Counter(way.state for way in ways.values()))
            for rollout_id, ways in self._ways.items()
            if ways
        }

    @locked
    def change_rollout(self, change: RolloutChange) -> None:
        """Write what changes (see `RolloutStore.change_rollout`)."""
        name = change.rollout.rollout_id
        kept, ways = self._rollouts.get(name), self._ways.get(name, {})
        same = kept is not None and kept.revision == change.rollout.revision
        for way in change.ways:
            before = ways.get(way.device_id)
            same = same and before is not None and before.revision == way.revision
        if not same:
            raise ConflictError(
                f"roll-out {name} was changed meanwhile", reference="rollout-changed"
            )
        for order in change.orders:
            if order.n <= self.last_command_number(order.device_id):
                raise ConflictError("a number is taken", reference="command-number-taken")
        self._rollouts[name] = replace(change.rollout, revision=change.rollout.revision + 1)
        for way in change.ways:
            self._keep(way)
        for order in change.orders:
            self._queue(order)
        self.log(change.events)
        self._rollout_revision += 1

    @locked
    def note_reports(self, reports: Sequence[DeviceReport]) -> int:
        """Take what devices say of their software (see `RolloutStore.note_reports`)."""
        news = 0
        for report in reports:
            if isinstance(report, RunningReport):
                news += self._note_running(report)
            else:
                news += self._note_update(report)
        self._rollout_revision += bool(news)
        return news

    @locked
    def software(self) -> list[DeviceSoftware]:
        """Return what devices run, sorted by device; those that never said are left out."""
        return [self._software[name] for name in sorted(self._software)]

    @locked
    def rollout_revision(self) -> int:
        """Return a number that grows with every change of these."""
        return self._rollout_revision

    def _note_update(self, report: UpdateReport) -> bool:
        own = [way for ways in self._ways.values() if (way := ways.get(report.device_id))]
        later = [(way.n, way) for way in own if way.n is not None and way.n >= report.re]
        if not later:
            return False
        _, way = min(later, key=lambda each: each[0])
        after = way_after(way, report)
        if after != way:
            self._keep(after)
        return after != way

    def _note_running(self, report: RunningReport) -> bool:
        software = software_after(self._software.get(report.device_id), report)
        if software is None:
            return False
        self._software[report.device_id] = software
        version = parse_version(report.version)
        for rollout in self._rollouts.values():
            way = self._ways[rollout.rollout_id].get(report.device_id)
            if way is not None and rollout.state.is_open:
                is_target = version == parse_version(rollout.version)
                after = way_after_running(way, report, is_target=is_target)
                if after != way:
                    self._keep(after)
        return True

    def _keep(self, way: Way) -> None:
        self._ways[way.rollout_id][way.device_id] = replace(way, revision=way.revision + 1)
