"""The part of the stores' contract suite that is about roll-outs."""
# ruff: noqa: S101, D102  these are tests

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from seawall.errors import ConflictError
from seawall.model.event import Event
from seawall.model.rollout import (
    KEPT_ROLLOUTS,
    MAX_STEPS,
    DeviceSoftware,
    Plan,
    Rollout,
    RolloutChange,
    RolloutState,
    RunningReport,
    UpdateReport,
    Way,
    WayState,
)
from seawall.store.contract import Store
from seawall.testing.command_contract import a_command, order

T0_MS = 1_763_759_216_000


def a_rollout(rollout_id: str = "r1", version: str = "1.2.0") -> Rollout:
    """Return a roll-out whose every field says something."""
    return Rollout(
        rollout_id,
        board="unix",
        version=version,
        target=f"unix/{version}.json",
        sha256="ab" * 32,
        pattern="green*",
        group="north",
        plan=Plan((5, 100), 1, 2.5, 3, 4, 5, 6),
        state=RolloutState.RUNNING,
        started_ms=T0_MS,
        actor="cli:me",
        opened_ms=T0_MS + 1,
        counted_from_ms=T0_MS + 2,
        reason="why",
    )


def a_way(device_id: str = "a", rollout_id: str = "r1") -> Way:
    """Return the way of a device that waits."""
    return Way(rollout_id, device_id, 1, WayState.WAITING, T0_MS, T0_MS)


def offered(way: Way, n: int, at_ms: int = T0_MS) -> Way:
    """Return a way whose device was offered the version by a command."""
    first_n = n if way.first_n is None else way.first_n
    moved = way.moved(WayState.OFFERED, at_ms)
    return replace(moved, n=n, first_n=first_n, attempts=way.attempts + 1)


def begin(
    store: Store, rollout_id: str = "r1", *device_ids: str, version: str = "1.2.0"
) -> Rollout:
    """Start a roll-out and return it."""
    rollout = a_rollout(rollout_id, version)
    ways = [a_way(device_id, rollout_id) for device_id in device_ids or ("b", "a")]
    store.add_rollout(rollout, ways, Event(T0_MS, "rollout-started", rollout_id))
    return rollout


def end(store: Store, rollout_id: str) -> None:
    """Have a roll-out be over."""
    rollout = store.rollout(rollout_id)
    assert rollout is not None
    over = replace(rollout, state=RolloutState.COMPLETE, ended_ms=T0_MS)
    store.change_rollout(RolloutChange(over))


def offer(store: Store, device_id: str = "a", n: int = 1) -> Way:
    """Offer a device the version of roll-out r1, and return its way as it is kept."""
    rollout, way = store.rollout("r1"), way_of(store, device_id)
    assert rollout is not None
    store.change_rollout(RolloutChange(rollout, [offered(way, n)], [a_command(device_id, n)]))
    return way_of(store, device_id)


def way_of(store: Store, device_id: str = "a", rollout_id: str = "r1") -> Way:
    """Return the way of a device."""
    return next(way for way in store.ways(rollout_id) if way.device_id == device_id)


def told(state: WayState, n: int = 1, *, boot: int = 1, device_id: str = "a") -> UpdateReport:
    """Return what a device says of an order."""
    return UpdateReport(device_id, T0_MS + 9, n, state, boot)


def running(version: str, boot: int = 1, *, trial: bool = False) -> RunningReport:
    """Return what device ``a`` says that it runs."""
    return RunningReport("a", T0_MS + 9, version, "b", trial, boot)


class RolloutContract:
    """Tests that roll-outs are kept, and that nobody writes over another's change."""

    def test_a_rollout_comes_back_as_it_was_started(self, store: Store) -> None:
        revision = store.rollout_revision()
        rollout = begin(store)
        assert store.rollout("r1") == rollout
        assert store.ways("r1") == [a_way("a"), a_way("b")]
        assert store.rollout("r2") is None
        assert store.ways("r2") == []
        assert store.rollout_revision() > revision
        assert [event.kind for event in store.events(subject="r1")] == ["rollout-started"]
        later = begin(store, "r0", "c")
        assert store.rollouts() == [rollout, later]

    def test_an_id_is_given_once(self, store: Store) -> None:
        begin(store)
        end(store, "r1")
        with pytest.raises(ConflictError) as caught:
            begin(store, "r1", "z")
        assert caught.value.reference == "rollout-exists"
        assert len(store.ways("r1")) == 2

    def test_a_device_is_in_one_open_rollout(self, store: Store) -> None:
        begin(store)
        with pytest.raises(ConflictError) as caught:
            begin(store, "r2", "c", "b")
        assert caught.value.reference == "rollout-overlaps"
        assert "r1" in caught.value.message
        assert store.rollout("r2") is None
        assert store.ways("r2") == []
        assert len(store.events()) == 1
        end(store, "r1")
        begin(store, "r2", "c", "b")

    def test_a_change_is_written_whole(self, store: Store) -> None:
        rollout = begin(store)
        way = replace(
            offered(a_way(), 7), boot=3, reason="why", percent=None, again=True, heard_ms=T0_MS + 4
        )
        changed = replace(rollout, state=RolloutState.HALTED, cohort=2, reason="bad news")
        event = Event(T0_MS, "rollout-halted", "r1")
        store.change_rollout(RolloutChange(changed, [way], [a_command("a", 7)], [event]))
        assert store.rollout("r1") == replace(changed, revision=1)
        assert store.ways("r1") == [replace(way, revision=1), a_way("b")]
        assert store.commands() == [a_command("a", 7)]
        assert store.events()[-1] == event

    def test_what_somebody_else_changed_is_not_written_over(self, store: Store) -> None:
        rollout = begin(store)
        store.change_rollout(RolloutChange(rollout, [a_way("b")]))
        now = replace(rollout, revision=1)
        stale_way, order_of_b = offered(a_way("b"), 1), a_command("b", 1)
        for change in (
            RolloutChange(rollout, [offered(a_way("a"), 1)], [a_command("a", 1)]),
            RolloutChange(now, [offered(a_way("a"), 1), stale_way], [order_of_b]),
            RolloutChange(replace(now, rollout_id="r9")),
            RolloutChange(now, [a_way("nobody")]),
        ):
            with pytest.raises(ConflictError) as caught:
                store.change_rollout(change)
            assert caught.value.reference == "rollout-changed"
        assert store.commands() == []
        assert way_of(store, "a").state is WayState.WAITING

    def test_a_number_that_is_taken_undoes_the_change(self, store: Store) -> None:
        rollout = begin(store)
        order(store, "a", 5)
        revision = store.rollout_revision()
        change = RolloutChange(rollout, [offered(a_way("a"), 5)], [a_command("a", 5)])
        with pytest.raises(ConflictError) as caught:
            store.change_rollout(change)
        assert caught.value.reference == "command-number-taken"
        assert store.rollout("r1") == rollout
        assert way_of(store) == a_way("a")
        assert store.rollout_revision() == revision

    def test_reports_move_a_way_and_old_ones_do_not(self, store: Store) -> None:
        begin(store)
        before = offer(store)
        loading = told(WayState.DOWNLOADING)._replace(percent=40)
        trying = told(WayState.TRYING, boot=2)
        assert store.note_reports([loading, trying]) == 2
        way = way_of(store)
        assert (way.state, way.boot, way.heard_ms) == (WayState.TRYING, 2, T0_MS + 9)
        assert [step.state.value for step in way.steps] == ["offered", "downloading", "trying"]
        assert way.revision == before.revision + 2
        revision = store.rollout_revision()
        assert store.note_reports([loading, loading._replace(percent=90), trying]) == 0
        assert store.rollout_revision() == revision
        back = told(WayState.ROLLED_BACK, boot=3)._replace(reason="boot-loop")
        assert store.note_reports([back, told(WayState.CONFIRMED, boot=4)]) == 1
        way = way_of(store)
        assert (way.state, way.reason) == (WayState.ROLLED_BACK, "boot-loop")

    def test_ways_are_counted(self, store: Store) -> None:
        assert store.way_counts() == {}
        begin(store, "r1", "a", "b", "c")
        begin(store, "r2", "z")
        offer(store)
        offer(store, "b", 2)
        store.note_reports([told(WayState.CONFIRMED)])
        counts = {WayState.CONFIRMED: 1, WayState.OFFERED: 1, WayState.WAITING: 1}
        assert store.way_counts() == {"r1": counts, "r2": {WayState.WAITING: 1}}

    def test_a_report_between_reading_and_writing_is_kept(self, store: Store) -> None:
        begin(store)
        read = offer(store)
        store.note_reports([told(WayState.CONFIRMED)])
        rollout = store.rollout("r1")
        assert rollout is not None
        with pytest.raises(ConflictError):
            store.change_rollout(RolloutChange(rollout, [read.moved(WayState.SILENT, T0_MS)]))
        assert way_of(store).state is WayState.CONFIRMED

    def test_reports_of_other_orders_change_nothing(self, store: Store) -> None:
        begin(store)
        offer(store)
        foreign = [
            told(WayState.CONFIRMED, n=2),
            told(WayState.CONFIRMED, device_id="b"),
            told(WayState.CONFIRMED, device_id="nobody"),
        ]
        assert store.note_reports(foreign) == 0
        assert store.note_reports([]) == 0
        assert way_of(store).state is WayState.OFFERED

    def test_what_an_earlier_order_came_to_counts_if_it_was_rolled_back(self, store: Store) -> None:
        begin(store)
        offer(store, n=3)
        offer(store, n=7)
        back = told(WayState.ROLLED_BACK, n=3, boot=2)._replace(reason="crashed", again=True)
        others = [told(state, n=3, boot=2) for state in (WayState.TRYING, WayState.FAILED)]
        assert store.note_reports([*others, back._replace(re=2)]) == 0
        assert way_of(store).state is WayState.OFFERED
        assert store.note_reports([back, back, told(WayState.CONFIRMED, n=7, boot=3)]) == 1
        way = way_of(store)
        assert (way.state, way.reason, way.n) == (WayState.ROLLED_BACK, "crashed", 7)

    def test_what_is_said_late_belongs_to_its_own_rollout(self, store: Store) -> None:
        begin(store)
        offer(store, n=3)
        end(store, "r1")
        later = begin(store, "r2", "a")
        order_9 = offered(a_way("a", "r2"), 9)
        store.change_rollout(RolloutChange(later, [order_9], [a_command("a", 9)]))
        back = told(WayState.ROLLED_BACK, n=3, boot=2)
        assert store.note_reports([back._replace(re=5), back._replace(re=10)]) == 0
        assert store.note_reports([back]) == 1
        assert way_of(store).state is WayState.ROLLED_BACK
        assert way_of(store, "a", "r2").state is WayState.OFFERED

    def test_what_a_device_runs(self, store: Store) -> None:
        assert store.software() == []
        assert store.note_reports([running("1.1", 5)]) == 1
        assert store.software() == [DeviceSoftware("a", "1.1", "b", False, 5, T0_MS + 9)]
        assert store.note_reports([running("1.0", 4), running("1.1", 5), running("2", 5)]) == 0
        assert store.note_reports([running("2", 6, trial=True)]) == 1
        assert store.note_reports([running("2", 6), running("2", 6, trial=True)]) == 1
        assert store.software() == [DeviceSoftware("a", "2", "b", False, 6, T0_MS + 9)]

    def test_what_a_device_runs_confirms_its_way_in_open_rollouts(self, store: Store) -> None:
        begin(store, "r1", "a", "b")
        offer(store)
        store.note_reports([running("1.1", 5)])
        assert way_of(store).state is WayState.OFFERED
        store.note_reports([running("1.2", 6, trial=True)])
        assert way_of(store).state is WayState.OFFERED
        store.note_reports([running("1.2", 6)])
        assert (way_of(store).state, way_of(store).boot) == (WayState.CONFIRMED, 6)
        assert way_of(store, "b").state is WayState.WAITING
        end(store, "r1")
        begin(store, "r2", "a")
        end(store, "r2")
        store.note_reports([running("1.2", 7)])
        assert way_of(store, "a", "r2").state is WayState.WAITING

    def test_of_a_way_the_newest_steps_are_kept(self, store: Store) -> None:
        begin(store)
        way = a_way()
        for n in range(MAX_STEPS + 5):
            way = offered(way, n, T0_MS + n)
        rollout = store.rollout("r1")
        assert rollout is not None
        store.change_rollout(RolloutChange(rollout, [way]))
        assert [step.at_ms - T0_MS for step in way_of(store).steps] == list(range(5, MAX_STEPS + 5))

    def test_old_rollouts_are_forgotten_but_no_open_one(self, store: Store) -> None:
        begin(store, "open", "x")
        for number in range(KEPT_ROLLOUTS + 2):
            begin(store, f"r{number}", "a")
            end(store, f"r{number}")
        begin(store, "last", "a")
        kept = [rollout.rollout_id for rollout in store.rollouts()]
        assert kept == ["open", *(f"r{n}" for n in range(2, KEPT_ROLLOUTS + 2)), "last"]
        assert store.ways("r1") == []

    def test_changes_at_the_same_time_happen_one_after_another(self, store: Store) -> None:
        begin(store)

        def change() -> None:
            for _ in range(10):
                while True:
                    rollout = store.rollout("r1")
                    assert rollout is not None
                    try:
                        store.change_rollout(
                            RolloutChange(replace(rollout, cohort=rollout.cohort + 1))
                        )
                    except ConflictError:
                        continue
                    break

        threads = [threading.Thread(target=change) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rollout = store.rollout("r1")
        assert rollout is not None
        assert (rollout.cohort, rollout.revision) == (30, 30)
