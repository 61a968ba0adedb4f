"""The roll-out's machine: its rules by example, its promises by property."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from seawall.errors import ConflictError, UsageError
from seawall.model.command import COMMAND_LIFETIME_MS
from seawall.model.device import DeviceStatus
from seawall.model.rollout import (
    FINAL,
    UNDER_WAY,
    DeviceSoftware,
    Plan,
    Rollout,
    RolloutState,
    RunningReport,
    UpdateReport,
    Way,
    WayState,
    software_after,
    way_after,
    way_after_running,
)
from seawall.updates.rollout import (
    MAX_UNDER_WAY,
    SETTLING_MS,
    Decision,
    DeviceFacts,
    decide,
    has_failed,
    is_over,
    may_retry,
    offered,
)
from seawall.updates.rollout_start import (
    aborted,
    check_plan,
    cohorts_of,
    first_ways,
    paused,
    resumed,
)

T0_MS = 1_763_759_216_000
MINUTE_MS = 60_000
PLAN = Plan(soak_ms=10 * MINUTE_MS, silence_ms=15 * MINUTE_MS, retry_ms=MINUTE_MS)


class Fleet:
    """A roll-out, its devices and a clock; no store, no daemon, no devices."""

    def __init__(self, count: int, plan: Plan = PLAN, there: int = 0) -> None:
        self.now_ms = T0_MS
        self.listening_ms = T0_MS - 10 * SETTLING_MS
        names = [f"d{number:04}" for number in range(count)]
        self.rollout = Rollout(
            "r1", "unix", "2.0", "unix/2.0.json", "ab" * 32, "*", "", plan,
            RolloutState.RUNNING, T0_MS, "cli:me", T0_MS,
        )  # fmt: skip
        self.there = [f"t{number}" for number in range(there)]
        self.ways = {way.device_id: way for way in first_ways(self.rollout, names, self.there)}
        self.facts = dict.fromkeys(self.ways, DeviceFacts(DeviceStatus.ACTIVE, online=True))
        self.number = 0
        self.offers: list[str] = []
        self.recalls: list[str] = []
        self.events: list[str] = []

    def decide(self) -> Decision:
        return decide(
            self.rollout, list(self.ways.values()), self.facts, self.now_ms, self.listening_ms
        )

    def step(self) -> Decision:
        """Decide, and do what was decided."""
        decision = self.decide()
        self.rollout = decision.rollout
        for way in decision.ways:
            self.ways[way.device_id] = way
        for way in decision.offers:
            self.number += 1
            self.ways[way.device_id] = offered(way, self.number, self.now_ms)
            self.offers.append(way.device_id)
        self.recalls += decision.recalls
        self.events += [kind for kind, _ in decision.events]
        return decision

    def run(self, after_ms: int = 0) -> None:
        """Let some time pass, and step until nothing changes any more."""
        self.now_ms += after_ms
        for _ in range(10):
            before = self.rollout
            if not self.step().changes(before):
                return
        raise AssertionError("it does not come to rest")

    def say(self, name: str, state: WayState, reason: str = "", **more: Any) -> None:
        n = self.ways[name].n
        assert n is not None
        report = UpdateReport(
            name, self.now_ms, n, state, more.pop("boot", 1), reason=reason, **more
        )
        self.ways[name] = way_after(self.ways[name], report)

    def under_way(self) -> list[str]:
        return [name for name, way in self.ways.items() if way.state in UNDER_WAY]

    def of_cohort(self, cohort: int) -> list[str]:
        return [way.device_id for way in self.ways.values() if way.cohort == cohort]

    def confirm(self) -> None:
        for name in self.under_way():
            self.say(name, WayState.CONFIRMED)


# Cohorts


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, {0: 1}), (2, {0: 1, 2: 0, 3: 1}), (5, {0: 1, 2: 2, 3: 2}), (1000, {0: 10, 1: 90, 2: 400})],
)
def test_cohorts_are_cumulative_shares_and_the_first_has_somebody(
    count: int, sizes: dict[int, int]
) -> None:
    found = cohorts_of("r1", [f"d{n}" for n in range(count)], (1, 10, 50, 100))
    assert len(found) == count
    for cohort, size in sizes.items():
        assert sum(each == cohort for each in found.values()) == size


@given(st.integers(1, 300), st.sets(st.integers(1, 99), max_size=5))
def test_cohorts_are_the_same_every_time(count: int, percents: set[int]) -> None:
    shares = (*sorted(percents), 100)
    names = [f"d{n}" for n in range(count)]
    found = cohorts_of("r7", names, shares)
    assert found == cohorts_of("r7", names[::-1], shares)
    assert set(found) == set(names)
    assert min(found.values()) == 0
    for cohort, share in enumerate(shares):
        upto = sum(each <= cohort for each in found.values())
        assert upto * 100 >= share * count > (upto - 1) * 100


def test_another_rollout_begins_with_others() -> None:
    names = [f"d{n}" for n in range(100)]
    first = {
        min(found, key=lambda name: (found[name], name))
        for found in (cohorts_of(f"r{n}", names, (1, 100)) for n in range(20))
    }
    assert len(first) > 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"cohorts": ()},
        {"cohorts": (1, 10)},
        {"cohorts": (10, 10, 100)},
        {"cohorts": (50, 10, 100)},
        {"cohorts": (0, 100)},
        {"cohorts": tuple(range(80, 101))},
        {"halt_percent": 101},
        {"halt_percent": -1},
        {"halt_percent": float("nan")},
        {"soak_ms": -1},
        {"silence_ms": 0},
        {"trial_s": 0},
        {"retry_ms": 31 * 86_400_000},
    ],
)
def test_plans_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        check_plan(replace(PLAN, **wrong))


# The course of it


def test_a_rollout_that_goes_well() -> None:
    fleet = Fleet(5)
    fleet.run()
    assert fleet.under_way() == fleet.of_cohort(0)
    fleet.confirm()
    fleet.run(PLAN.soak_ms - 1)
    assert fleet.under_way() == []
    fleet.run(1)
    assert fleet.under_way() == fleet.of_cohort(2)
    fleet.confirm()
    fleet.run(PLAN.soak_ms)
    assert fleet.under_way() == fleet.of_cohort(3)
    fleet.confirm()
    fleet.run()
    assert fleet.rollout.state is RolloutState.COMPLETE
    assert fleet.events == ["rollout-cohort-opened"] * 2 + ["rollout-complete"]
    assert sorted(fleet.offers) == sorted(fleet.ways)


def test_the_soak_begins_when_the_last_of_the_cohort_has_ended() -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(50, 100)))
    fleet.run()
    first, second = fleet.under_way()
    fleet.say(first, WayState.CONFIRMED)
    fleet.run(5 * MINUTE_MS)
    fleet.say(second, WayState.CONFIRMED)
    fleet.run(5 * MINUTE_MS)
    assert fleet.rollout.cohort == 0
    fleet.run(5 * MINUTE_MS)
    assert fleet.rollout.cohort == 1


def test_the_first_failure_of_a_small_cohort_halts_everything() -> None:
    fleet = Fleet(10, replace(PLAN, cohorts=(30, 100)))
    fleet.run()
    bad, *others = fleet.under_way()
    fleet.say(others[0], WayState.TRYING)
    fleet.say(bad, WayState.ROLLED_BACK, "no-connection")
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    assert fleet.rollout.reason == "cohort 1: 1 rolled-back (no-connection), of 1 that ended"
    # Who does not try it yet is called back; who does goes on, and is heard.
    assert fleet.recalls == others[1:]
    assert fleet.ways[others[1]].state is WayState.WAITING
    fleet.say(others[0], WayState.CONFIRMED)
    fleet.run(PLAN.soak_ms * 9)
    assert fleet.ways[others[0]].state is WayState.CONFIRMED
    assert len(fleet.offers) == 3


@pytest.mark.parametrize(
    ("count", "percent", "allowed"),
    [(1000, 5.0, 0), (1000, 20.0, 3), (3, 50.0, 1), (10, 100.0, 9), (1000, 0.0, 0), (10, 34.0, 3)],
)
def test_how_many_may_fail(count: int, percent: float, allowed: int) -> None:
    fleet = Fleet(count, replace(PLAN, cohorts=(100,), halt_percent=percent))
    fleet.run()
    names = fleet.under_way()
    for name in names[:allowed]:
        fleet.say(name, WayState.ROLLED_BACK, "crashed")
    fleet.run()
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.say(names[allowed], WayState.ROLLED_BACK, "crashed")
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED


def test_a_share_of_many_is_one_of_those_that_ended() -> None:
    fleet = Fleet(1000, replace(PLAN, cohorts=(100,)))
    fleet.run()
    names = fleet.under_way()
    for name in names[:39]:
        fleet.say(name, WayState.CONFIRMED)
    fleet.say(names[39], WayState.ROLLED_BACK, "crashed")
    fleet.run()
    assert fleet.rollout.state is RolloutState.RUNNING  # 2.5 %
    fleet.say(names[40], WayState.REFUSED, "bad-signature")
    fleet.say(names[41], WayState.FAILED, "flash-full")
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    reason = "1 failed (flash-full), 1 refused (bad-signature), 1 rolled-back (crashed)"
    assert fleet.rollout.reason == f"cohort 1: {reason}, of 42 that ended"


def test_silence_halts() -> None:
    fleet = Fleet(1)
    fleet.run()
    (name,) = fleet.under_way()
    fleet.run(PLAN.silence_ms - 1)
    fleet.say(name, WayState.DOWNLOADING, percent=10)
    fleet.run(PLAN.silence_ms - 1)
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.run(1)
    assert fleet.rollout.state is RolloutState.HALTED
    assert fleet.rollout.reason == "cohort 1: 1 silent, of 1 that ended"
    assert fleet.ways[name].reason == "after-downloading"
    # It comes back: that is told, and the decision is a person's.
    fleet.say(name, WayState.CONFIRMED)
    fleet.run()
    assert fleet.ways[name].state is WayState.CONFIRMED
    assert fleet.rollout.state is RolloutState.HALTED


def test_who_tries_it_is_not_silent_before_the_trial_is_over() -> None:
    fleet = Fleet(1, replace(PLAN, trial_s=3600))
    fleet.run()
    (name,) = fleet.under_way()
    fleet.say(name, WayState.TRYING)
    fleet.run(3600_000 + PLAN.silence_ms - 1)
    assert fleet.ways[name].state is WayState.TRYING
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.run(1)
    assert fleet.ways[name].state is WayState.SILENT
    assert fleet.rollout.state is RolloutState.HALTED


def test_nobody_is_silent_while_nobody_listens() -> None:
    fleet = Fleet(1)
    fleet.run()
    fleet.now_ms += 9 * PLAN.silence_ms
    fleet.listening_ms = fleet.now_ms - 1000
    fleet.run()
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.run(PLAN.silence_ms)
    assert fleet.rollout.state is RolloutState.HALTED


def test_after_a_start_devices_get_time_to_connect_before_a_cohort_opens() -> None:
    fleet = Fleet(10, replace(PLAN, cohorts=(50, 100)))
    fleet.run()
    fleet.confirm()
    fleet.now_ms += 2 * PLAN.soak_ms
    fleet.listening_ms = fleet.now_ms
    fleet.run(SETTLING_MS - 1)
    assert fleet.rollout.cohort == 0
    fleet.run(1)
    assert fleet.rollout.cohort == 1


def test_devices_that_are_away_wait_and_hold_nobody_up() -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(50, 100)))
    there, away = fleet.of_cohort(0)
    fleet.facts[away] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run()
    assert fleet.under_way() == [there]
    fleet.run(PLAN.silence_ms - 1)
    fleet.confirm()
    fleet.run(PLAN.soak_ms)
    assert sorted(fleet.under_way()) == fleet.of_cohort(1)
    fleet.confirm()
    fleet.run(100 * PLAN.silence_ms)
    assert (fleet.ways[away].state, fleet.ways[away].reason) == (WayState.WAITING, "away")
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.facts[away] = DeviceFacts(DeviceStatus.ACTIVE, online=True)
    fleet.run()
    fleet.confirm()
    fleet.run()
    assert fleet.rollout.state is RolloutState.COMPLETE


def test_a_cohort_that_nobody_proved_opens_no_other() -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(50, 100)), there=3)
    for name in fleet.of_cohort(0):
        fleet.facts[name] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run(100 * PLAN.soak_ms)
    assert (fleet.rollout.cohort, fleet.offers) == (0, [])


def test_who_is_there_already_is_done_and_proves_nothing() -> None:
    fleet = Fleet(1, there=50)
    fleet.run()
    (name,) = fleet.under_way()
    fleet.say(name, WayState.ROLLED_BACK, "crashed")
    fleet.run()
    assert fleet.rollout.reason == "cohort 1: 1 rolled-back (crashed), of 1 that ended"
    assert fleet.offers == [name]


def test_a_temporary_failure_is_tried_again_later_and_only_so_often() -> None:
    fleet = Fleet(1)
    waits = []
    for attempt in range(PLAN.max_attempts):
        fleet.run()
        (name,) = fleet.under_way()
        fleet.say(name, WayState.FAILED, "no-network", again=True)
        fleet.run()
        if attempt < PLAN.max_attempts - 1:
            assert may_retry(fleet.ways[name], PLAN)
            waited_ms = 0
            while not fleet.under_way():
                fleet.run(MINUTE_MS)
                waited_ms += MINUTE_MS
            waits.append(waited_ms // MINUTE_MS)
    assert waits == [1, 2, 4]
    assert fleet.rollout.state is RolloutState.HALTED
    fleet.run(1000 * MINUTE_MS)
    assert len(fleet.offers) == PLAN.max_attempts


@pytest.mark.parametrize("state", [WayState.REFUSED, WayState.FAILED, WayState.ROLLED_BACK])
def test_what_failed_for_good_is_never_offered_again(state: WayState) -> None:
    fleet = Fleet(2, replace(PLAN, cohorts=(100,), halt_percent=100))
    fleet.run()
    name, other = fleet.under_way()
    fleet.say(name, state, "why", again=state is WayState.ROLLED_BACK)
    fleet.run(1000 * MINUTE_MS)
    fleet.say(other, WayState.CONFIRMED)
    fleet.run()
    assert sorted(fleet.offers) == [name, other]
    assert has_failed(fleet.ways[name], PLAN)


def test_a_person_lets_it_go_on_after_a_halt() -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(50, 100)))
    fleet.run()
    bad, other = fleet.under_way()
    fleet.say(bad, WayState.ROLLED_BACK, "crashed")
    fleet.run()
    fleet.now_ms += 1
    fleet.rollout, changed = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    assert changed == []
    fleet.run(1)
    assert fleet.under_way() == [other]  # it was called back
    fleet.confirm()
    fleet.run(PLAN.soak_ms)
    assert fleet.under_way() == fleet.of_cohort(1)
    fleet.say(fleet.under_way()[0], WayState.ROLLED_BACK, "crashed")
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    assert fleet.offers.count(bad) == 1


def test_who_was_silent_is_offered_it_again_when_a_person_lets_it_go_on() -> None:
    fleet = Fleet(1)
    fleet.run()
    fleet.run(PLAN.silence_ms)
    fleet.rollout, changed = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.ways |= {way.device_id: way for way in changed}
    fleet.run(1)
    assert len(fleet.under_way()) == 1
    assert len(fleet.offers) == 2


@pytest.mark.parametrize("back_ms", [MINUTE_MS, 365 * 86_400_000])
def test_after_the_clock_is_put_back_what_fails_halts_and_what_failed_before_does_not(
    back_ms: int,
) -> None:
    fleet = Fleet(5, replace(PLAN, cohorts=(100,)))
    fleet.run()
    first, second, third, *_ = fleet.under_way()
    fleet.say(first, WayState.ROLLED_BACK, "crashed")
    fleet.run(MINUTE_MS)
    fleet.rollout, _ = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.now_ms -= back_ms
    fleet.listening_ms = fleet.now_ms
    fleet.run(1)
    fleet.run(1)
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.say(second, WayState.ROLLED_BACK, "crashed", boot=3)
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    assert fleet.rollout.reason == "cohort 1: 1 rolled-back (crashed), of 1 that ended"
    # What failed before the clock was put back, and after a person let it go on, counts still.
    fleet.now_ms += back_ms
    fleet.rollout, _ = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.run(1)
    fleet.say(third, WayState.ROLLED_BACK, "crashed", boot=3)
    fleet.now_ms -= back_ms
    fleet.listening_ms = fleet.now_ms
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED


def test_a_pause_offers_nothing_and_hears_everything() -> None:
    fleet = Fleet(3, replace(PLAN, cohorts=(34, 100)))
    fleet.run()
    fleet.rollout = paused(fleet.rollout)
    first = fleet.under_way()
    fleet.confirm()
    fleet.run(100 * PLAN.soak_ms)
    assert fleet.offers == first
    fleet.rollout, _ = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.run()
    assert len(fleet.offers) == 3


def test_an_abort_takes_back_what_is_not_tried() -> None:
    fleet = Fleet(8, replace(PLAN, cohorts=(50, 100)))
    fleet.run()
    tried, *others = fleet.under_way()
    fleet.say(tried, WayState.TRYING)
    fleet.rollout = aborted(fleet.rollout, "cli:me", fleet.now_ms)
    fleet.run()
    assert sorted(fleet.recalls) == sorted(others)
    states = {way.state for name, way in fleet.ways.items() if name != tried}
    assert states == {WayState.WITHDRAWN}
    fleet.say(tried, WayState.CONFIRMED)
    # One of the others was quicker than the order to stop.
    fleet.say(others[0], WayState.DOWNLOADING)
    assert fleet.ways[others[0]].state is WayState.WITHDRAWN
    fleet.say(others[0], WayState.CONFIRMED)
    assert fleet.ways[others[0]].state is WayState.CONFIRMED
    assert len(fleet.offers) == 4
    for order in (paused, lambda r: resumed(r, [], 0), lambda r: aborted(r, "", 0)):
        with pytest.raises(ConflictError) as caught:
            order(fleet.rollout)
        assert caught.value.reference == "rollout-state"


@pytest.mark.parametrize("state", [WayState.OFFERED, WayState.DOWNLOADING, WayState.VERIFIED])
def test_a_halt_takes_back_from_who_is_silent_or_shut_out(state: WayState) -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(100,)))
    fleet.run()
    bad, shut_out, silent, trying = fleet.under_way()
    for name in (shut_out, silent):
        fleet.say(name, state)
    fleet.facts[shut_out] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.run(PLAN.silence_ms - 1)
    assert fleet.recalls == []
    fleet.say(trying, WayState.TRYING)
    fleet.say(bad, WayState.ROLLED_BACK, "crashed")
    fleet.now_ms += 1
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    assert sorted(fleet.recalls) == sorted([shut_out, silent])
    assert fleet.ways[silent].state is WayState.SILENT
    # Who is enabled has nothing to go on with, and waits for a person as all do.
    fleet.facts[shut_out] = DeviceFacts(DeviceStatus.ACTIVE, online=True)
    fleet.run(PLAN.silence_ms)
    assert fleet.ways[shut_out].state is WayState.WAITING
    assert len(fleet.offers) == 4
    assert len(fleet.recalls) == 2


def test_who_was_silent_and_goes_on_with_it_after_the_halt_is_called_back_again() -> None:
    fleet = Fleet(1)
    fleet.run()
    (name,) = fleet.under_way()
    fleet.run(PLAN.silence_ms)
    assert fleet.recalls == [name]
    fleet.run(1000 * MINUTE_MS)
    fleet.say(name, WayState.DOWNLOADING, percent=10)
    fleet.run()
    assert fleet.recalls == [name, name]
    fleet.say(name, WayState.DOWNLOADING, percent=20)
    fleet.run()
    assert fleet.recalls == [name, name]
    assert fleet.ways[name].state is WayState.WAITING


def test_an_abort_takes_back_from_who_is_silent_or_shut_out() -> None:
    fleet = Fleet(6, replace(PLAN, cohorts=(100,), halt_percent=100))
    fleet.facts["d0005"] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run()
    shut_out, silent, shut_out_trying, silent_trying, done = fleet.under_way()
    for name in (shut_out_trying, silent_trying):
        fleet.say(name, WayState.TRYING)
    fleet.say(done, WayState.CONFIRMED)
    for name in (shut_out, shut_out_trying):
        fleet.facts[name] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.run(2 * PLAN.silence_ms)
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.rollout = aborted(fleet.rollout, "cli:me", fleet.now_ms)
    fleet.run()
    assert sorted(fleet.recalls) == sorted([shut_out, silent])
    assert fleet.ways[silent].reason == fleet.ways[shut_out].reason == "aborted"
    # Who tries it may keep it, and is heard.
    for name in (shut_out_trying, silent_trying):
        fleet.say(name, WayState.CONFIRMED)
        assert fleet.ways[name].state is WayState.CONFIRMED


@pytest.mark.parametrize("state", sorted(UNDER_WAY))
def test_who_is_enabled_goes_on_where_it_was_and_is_offered_nothing_again(state: WayState) -> None:
    fleet = Fleet(2, replace(PLAN, cohorts=(100,)))
    name, away = sorted(fleet.ways)
    fleet.facts[away] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run()
    fleet.say(name, state)
    fleet.facts[name] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.run(PLAN.silence_ms)
    assert fleet.ways[name].state is WayState.WITHDRAWN
    fleet.facts[name] = DeviceFacts(DeviceStatus.ACTIVE, online=True)
    fleet.run(1)
    fleet.run(PLAN.silence_ms - 1)
    assert fleet.ways[name].state is state
    fleet.say(name, WayState.ROLLED_BACK, "crashed", boot=3)
    fleet.run()
    assert fleet.offers == [name]
    assert fleet.rollout.state is RolloutState.HALTED


def test_who_is_enabled_and_not_back_holds_nobody_up_and_is_not_silent() -> None:
    fleet = Fleet(4, replace(PLAN, cohorts=(50, 100)))
    fleet.run()
    name, other = fleet.under_way()
    fleet.say(name, WayState.TRYING)
    fleet.facts[name] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.say(other, WayState.CONFIRMED)
    fleet.run()
    fleet.facts[name] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run()
    fleet.run(PLAN.soak_ms)
    later = fleet.of_cohort(1)
    assert set(later) < set(fleet.offers)
    for each in later:
        fleet.say(each, WayState.CONFIRMED)
    fleet.run(1000 * MINUTE_MS)
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.facts[name] = DeviceFacts(DeviceStatus.ACTIVE, online=True)
    fleet.run()
    fleet.facts[name] = DeviceFacts(DeviceStatus.ACTIVE, online=False)
    fleet.run(PLAN.silence_ms - 1)
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.run(100 * MINUTE_MS)
    assert fleet.ways[name].state is WayState.SILENT
    assert fleet.offers.count(name) == 1


def test_who_is_enabled_after_its_order_has_expired_is_offered_it_anew() -> None:
    fleet = Fleet(2, replace(PLAN, cohorts=(100,)))
    fleet.run()
    name, other = fleet.under_way()
    fleet.say(other, WayState.TRYING)
    fleet.facts[name] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.rollout = paused(fleet.rollout)
    fleet.run(1)
    fleet.facts[other] = DeviceFacts(DeviceStatus.DISABLED, online=False)
    fleet.run(COMMAND_LIFETIME_MS)
    fleet.facts |= dict.fromkeys((name, other), DeviceFacts(DeviceStatus.ACTIVE, online=True))
    fleet.rollout, _ = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.run()
    assert fleet.offers == [name, other, name]
    assert fleet.ways[name].state is WayState.OFFERED
    assert fleet.ways[other].state is WayState.TRYING


def test_who_was_silent_while_it_tried_is_not_asked_again_and_is_heard() -> None:
    fleet = Fleet(2, replace(PLAN, cohorts=(100,)))
    fleet.run()
    name, other = fleet.under_way()
    fleet.say(name, WayState.TRYING)
    fleet.say(other, WayState.DOWNLOADING)
    fleet.run(100 * MINUTE_MS)
    assert fleet.rollout.state is RolloutState.HALTED
    fleet.rollout, changed = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
    fleet.ways |= {way.device_id: way for way in changed}
    fleet.run(1)
    assert fleet.offers == [name, other, other]
    assert fleet.rollout.state is RolloutState.RUNNING
    fleet.say(name, WayState.ROLLED_BACK, "crashed", boot=3)
    fleet.run()
    assert fleet.rollout.state is RolloutState.HALTED
    assert "crashed" in fleet.rollout.reason


@pytest.mark.parametrize("status", [DeviceStatus.DISABLED, DeviceStatus.REVOKED, None])
def test_who_may_not_connect_is_offered_nothing(status: DeviceStatus | None) -> None:
    fleet = Fleet(2, replace(PLAN, cohorts=(100,)))
    gone, other = sorted(fleet.ways)
    if status is None:
        del fleet.facts[gone]
    else:
        fleet.facts[gone] = DeviceFacts(status, online=True)
    fleet.run()
    assert fleet.offers == [other]
    assert fleet.ways[gone].reason == (status.value if status else "gone")
    fleet.facts[gone] = DeviceFacts(DeviceStatus.ACTIVE, online=True)
    fleet.run()
    assert (gone in fleet.offers) is (status is DeviceStatus.DISABLED)


def test_so_many_are_under_way_at_a_time() -> None:
    fleet = Fleet(MAX_UNDER_WAY + 7, replace(PLAN, cohorts=(100,)))
    fleet.run()
    assert len(fleet.under_way()) == MAX_UNDER_WAY
    fleet.say(fleet.under_way()[0], WayState.CONFIRMED)
    fleet.run()
    assert len(fleet.under_way()) == MAX_UNDER_WAY
    assert len(fleet.offers) == MAX_UNDER_WAY + 1


# Reports


def reports_of(states: set[WayState], boots: st.SearchStrategy[Any]) -> Any:
    return st.builds(
        UpdateReport, st.just("a"), st.integers(T0_MS, T0_MS + 9), st.integers(1, 2),
        st.sampled_from(sorted(states)), boots, st.none(), st.just("why"), st.booleans(),
    )  # fmt: skip


REPORTS = reports_of(set(UNDER_WAY | FINAL) - {WayState.OFFERED}, st.integers(0, 3))
REPLIES = reports_of({WayState.OFFERED, WayState.REFUSED}, st.none())


@given(st.lists(REPORTS | REPLIES))
def test_reports_again_in_the_same_order_change_nothing(reports: list[UpdateReport]) -> None:
    way = offered(Way("r1", "a", 0, WayState.WAITING, T0_MS, T0_MS), 1, T0_MS)
    for report in reports:
        before, way = way, way_after(way, report)
        assert way.boot >= before.boot
        assert before.state not in FINAL or way == before
    again = way
    for report in reports:
        again = way_after(again, report)
    assert (again.state, again.boot, again.steps) == (way.state, way.boot, way.steps)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("state", [WayState.WAITING, WayState.WITHDRAWN, WayState.SILENT])
def test_a_roll_back_ends_a_way_whose_order_was_taken_back(state: WayState, again: bool) -> None:
    way = offered(Way("r1", "a", 0, WayState.WAITING, T0_MS, T0_MS), 1, T0_MS)
    way = way.moved(state, T0_MS, "recalled")
    report = UpdateReport("a", T0_MS + 1, 1, WayState.ROLLED_BACK, 3, None, "crashed", again)
    assert way_after(way, report).state is WayState.ROLLED_BACK


def test_what_runs_is_news_only_of_a_later_boot_or_when_a_trial_is_confirmed() -> None:
    known = DeviceSoftware("a", "2.0", "b", True, 5, T0_MS)
    for version, trial, boot, is_news in [
        ("1.0", False, 4, False),
        ("2.0", True, 5, False),
        ("2.0", False, 5, True),
        ("1.0", False, 6, True),
    ]:
        report = RunningReport("a", T0_MS + 1, version, "a", trial, boot)
        after = software_after(known, report)
        assert (after is not None) is is_news
    assert software_after(replace(known, trial=False), report._replace(boot=5)) is None


# Promises


class Rollouts(RuleBasedStateMachine):
    """A fleet that does anything, in any order; the promises hold after each step."""

    @initialize(
        count=st.integers(1, 3) | st.integers(1, 30),
        percents=st.sets(st.integers(1, 99), max_size=3),
        halt_percent=st.sampled_from([0.0, 5.0, 30.0, 100.0]),
        there=st.integers(0, 3),
    )
    def begin(self, count: int, percents: set[int], halt_percent: float, there: int) -> None:
        plan = replace(PLAN, cohorts=(*sorted(percents), 100), halt_percent=halt_percent)
        self.fleet = Fleet(count, plan, there)
        self.names = sorted(self.fleet.ways)
        # What the devices did, whatever was made of it.
        self.orders: dict[str, list[int]] = {name: [] for name in self.names}
        self.boots_of = dict.fromkeys(self.names, 0)
        self.said: list[UpdateReport] = []
        self.is_complete = False
        self.ended: set[tuple[str, int]] = set()
        self.ended_for_good: set[str] = set()
        self.cohort = 0

    def pick(self, number: int) -> str:
        return self.names[number % len(self.names)]

    @rule()
    def step(self) -> None:
        fleet = self.fleet
        before = dict(fleet.ways)
        state = fleet.rollout.state
        decision = fleet.step()
        for way in decision.offers:
            facts = fleet.facts[way.device_id]
            assert state is RolloutState.RUNNING
            assert facts.online
            assert facts.status is DeviceStatus.ACTIVE
            assert way.cohort <= fleet.rollout.cohort
            assert way is before[way.device_id]
            assert way.state is WayState.WAITING or may_retry(way, fleet.rollout.plan)
            assert way.device_id not in self.ended_for_good
        for name in decision.recalls:
            assert self.orders[name], "of what it was never given"
            assert before[name].state is not WayState.TRYING
            assert name not in [way.device_id for way in decision.offers]
        for name, way in fleet.ways.items():
            if before[name].state is WayState.CONFIRMED:
                assert way == before[name]

    @rule(
        number=st.integers(0, 99),
        state=st.sampled_from(sorted(UNDER_WAY | FINAL)),
        again=st.booleans(),
        starts=st.booleans(),
        old=st.integers(1, 3),
    )
    def report(self, number: int, state: WayState, again: bool, starts: bool, old: int) -> None:
        """A device says something new of the newest order, or of one before."""
        name = self.pick(number)
        given = self.orders[name]
        re = given[-min(old, len(given))] if given else 0
        if not given or (name, re) in self.ended:
            return
        self.boots_of[name] += starts
        boot = self.boots_of[name]
        said = UpdateReport(name, self.fleet.now_ms, re, state, boot, None, "why", again)
        self.said.append(said)
        if state in FINAL:
            self.ended.add((name, re))
        is_refusal = state in (WayState.REFUSED, WayState.FAILED) and not again
        if state is WayState.ROLLED_BACK or (is_refusal and re == given[-1]):
            self.ended_for_good.add(name)
        self.fleet.ways[name] = way_after(self.fleet.ways[name], said)

    @rule(number=st.integers(0, 99))
    def report_again(self, number: int) -> None:
        """What a device has said before comes another time."""
        if self.said:
            said = self.said[number % len(self.said)]._replace(at_ms=self.fleet.now_ms)
            name = said.device_id
            self.fleet.ways[name] = way_after(self.fleet.ways[name], said)

    @rule(number=st.integers(0, 99), starts=st.booleans(), there=st.booleans())
    def boots(self, number: int, starts: bool, there: bool) -> None:
        name = self.pick(number)
        fleet = self.fleet
        self.boots_of[name] += starts
        version = "2" if there else "1.9"
        report = RunningReport(name, fleet.now_ms, version, "a", False, self.boots_of[name])
        software = software_after(fleet.facts[name].software, report)
        if software is not None:
            fleet.facts[name] = fleet.facts[name]._replace(software=software)
            if fleet.rollout.state.is_open:
                fleet.ways[name] = way_after_running(fleet.ways[name], report, is_target=there)

    @rule(number=st.integers(0, 99), online=st.booleans())
    def connects(self, number: int, online: bool) -> None:
        name = self.pick(number)
        self.fleet.facts[name] = self.fleet.facts[name]._replace(online=online)

    @rule(number=st.integers(0, 99), status=st.sampled_from(DeviceStatus))
    def is_judged(self, number: int, status: DeviceStatus) -> None:
        name = self.pick(number)
        if self.fleet.facts[name].status is not DeviceStatus.REVOKED:
            self.fleet.facts[name] = self.fleet.facts[name]._replace(status=status)

    @rule(span_ms=st.sampled_from([1, MINUTE_MS, PLAN.soak_ms, PLAN.silence_ms]))
    def time_passes(self, span_ms: int) -> None:
        self.fleet.now_ms += span_ms

    @rule(span_ms=st.sampled_from([MINUTE_MS, PLAN.silence_ms, 365 * 86_400_000]))
    def clock_is_put_back(self, span_ms: int) -> None:
        self.fleet.now_ms -= span_ms
        self.fleet.listening_ms = self.fleet.now_ms

    @rule()
    def restarts(self) -> None:
        self.fleet.listening_ms = self.fleet.now_ms

    @precondition(lambda self: self.fleet.rollout.state is RolloutState.RUNNING)
    @rule()
    def pause(self) -> None:
        self.fleet.rollout = paused(self.fleet.rollout)

    @precondition(
        lambda self: self.fleet.rollout.state in (RolloutState.PAUSED, RolloutState.HALTED)
    )
    @rule()
    def resume(self) -> None:
        fleet = self.fleet
        fleet.rollout, changed = resumed(fleet.rollout, list(fleet.ways.values()), fleet.now_ms)
        fleet.ways |= {way.device_id: way for way in changed}

    @precondition(lambda self: self.fleet.rollout.state.is_open)
    @rule(sure=st.integers(0, 9))
    def abort(self, sure: int) -> None:
        if not sure:
            self.fleet.rollout = aborted(self.fleet.rollout, "cli:me", self.fleet.now_ms)

    @rule()
    def comes_to_rest(self) -> None:
        self.fleet.run()

    @invariant()
    def keeps_its_promises(self) -> None:
        fleet = self.fleet
        rollout, plan = fleet.rollout, fleet.rollout.plan
        assert rollout.cohort >= self.cohort
        self.cohort = rollout.cohort
        for name, way in fleet.ways.items():
            if way.n is not None and way.n not in self.orders[name]:
                assert name not in self.ended_for_good, "what failed there is offered again"
                self.orders[name].append(way.n)
            if name in self.ended_for_good:
                assert is_over(way, plan), "what a device said is lost"
            assert (way.n is None) == (way.attempts == 0)
            assert way.cohort <= rollout.cohort or not way.attempts
            if name in fleet.there:
                assert way.attempts == 0
        assert len(fleet.under_way()) <= MAX_UNDER_WAY
        if rollout.state is RolloutState.COMPLETE and not self.is_complete:
            self.is_complete = True  # from now on, who was silent may still return
            assert all(is_over(way, plan) for way in fleet.ways.values())
        assert (rollout.ended_ms is None) == rollout.state.is_open


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
