"""Roll-outs as people order them and the daemon carries them out, on a store in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import PurePath
from typing import Any, cast

import pytest

from seawall.daemon import rollout_runner
from seawall.daemon.rollout_runner import RolloutRunner
from seawall.errors import ConflictError, NotFoundError, StoreFullError, UsageError
from seawall.ingest.presence import Presence
from seawall.model.command import QueuedCommand
from seawall.model.device import Board, Device, DeviceStatus, Profile, Trust
from seawall.model.event import Event
from seawall.model.installation import Settings, StatePaths
from seawall.model.release import Release, ReleaseKind, parse_version
from seawall.model.rollout import (
    Plan,
    RolloutState,
    RunningReport,
    UpdateReport,
    Way,
    WayState,
)
from seawall.operations import start_rollout as starting
from seawall.operations.abort_rollout import abort_rollout
from seawall.operations.disable_device import disable_device
from seawall.operations.enable_device import enable_device
from seawall.operations.installation import Installation
from seawall.operations.list_rollouts import list_rollouts
from seawall.operations.pause_rollout import pause_rollout
from seawall.operations.resume_rollout import resume_rollout
from seawall.operations.show_rollout import show_rollout
from seawall.operations.start_rollout import NewRollout, start_rollout
from seawall.pki.keystore import Keystore
from seawall.pki.secrets import derive_device_key
from seawall.store.checking import CheckingStore
from seawall.testing.memory_store import MemoryStore
from seawall.wire.commands import Command, parse_command
from seawall.wire.envelope import open_sealed

pytestmark = pytest.mark.anyio

T0_MS = 1_763_759_216_000
MASTER = b"m" * 32
ALL_AT_ONCE = Plan(cohorts=(100,), soak_ms=0)


class Keys:
    def master_key(self) -> bytes:
        return MASTER

    def exclusive(self) -> AbstractContextManager[None]:
        return nullcontext()


def release(board: str = "unix", version: str = "1.2.0") -> Release:
    target = f"{board}/{version}.json"
    sha256 = (board + version).encode().hex()
    return Release(parse_version(version), board, ReleaseKind.FILES, target, 9, sha256, ())


class Stage:
    """An installation without a disk, its runner, and a fleet that does as it is told."""

    def __init__(self) -> None:
        self.now_ms = T0_MS
        self.put_ms = 0
        self.memory = MemoryStore()
        self.store = CheckingStore(self.memory)
        self.installation = Installation(
            StatePaths(PurePath("/nowhere")), Settings(), self.store,
            cast(Keystore, Keys()), lambda: self.now_ms, "cli:me",
        )  # fmt: skip
        self.presence: dict[str, Presence] = {}
        self.obeyed: dict[str, int] = {}
        self.runner = self.start()

    def start(self) -> RolloutRunner:
        """Start a daemon anew."""
        self.runner = RolloutRunner(
            self.installation, lambda: self.presence, lambda: (self.now_ms - self.put_ms) / 1000
        )
        return self.runner

    def add(self, *names: str, online: bool = True, **facts: Any) -> None:
        for name in names:
            device = Device(
                name, Board.UNIX, DeviceStatus.ACTIVE, Profile.SEAWALL_1, Trust.CA, 1,
                "1", "", 0, 0, 0,
            )  # fmt: skip
            self.store.put_device(replace(device, **facts), Event(T0_MS, "device-added", name))
            self.presence[name] = Presence(online, T0_MS)

    async def run(self, after_ms: int = 0) -> None:
        self.now_ms += after_ms
        for _ in range(5):
            self.now_ms += 1000
            await self.runner.step()

    def put_clock(self, by_ms: int) -> None:
        """Put the clock, while no time passes."""
        self.now_ms += by_ms
        self.put_ms += by_ms

    def orders(self, name: str) -> list[Command]:
        key, topic = derive_device_key(MASTER, name, 1), f"devices/{name}/commands"
        found = []
        for command in self.store.commands(device_id=name):
            body = open_sealed(command.payload, topic, key)
            assert body is not None
            found.append(parse_command(body))
        return found

    def ordered(self) -> dict[str, list[str]]:
        names = [device.device_id for device in self.store.devices()]
        return {name: [order.name for order in self.orders(name)] for name in names}

    def way(self, name: str) -> Way:
        return next(way for way in self.store.ways("r1") if way.device_id == name)

    def say(self, name: str, state: WayState, reason: str = "", again: bool = False) -> None:
        n = self.way(name).n
        assert n is not None
        report = UpdateReport(name, self.now_ms, n, state, 1, None, reason, again)
        assert self.store.note_reports([report]) == 1

    def runs(self, name: str, version: str, boot: int = 1) -> None:
        self.store.note_reports([RunningReport(name, self.now_ms, version, "a", False, boot)])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    def find(path: object, name: str) -> Release:
        board, _, version = name.rpartition("/")
        return release(board or "unix", version)

    monkeypatch.setattr(starting, "find_release", find)
    return Stage()


# Who is in it


async def test_who_is_in_a_rollout_and_who_is_not(stage: Stage) -> None:
    stage.add("g-1", "g-2", "g-3", group="north")
    stage.add("g-4")
    stage.add("cellar", group="north")
    stage.add("g-esp", group="north", board=Board.ESP32)
    stage.add("g-off", group="north", status=DeviceStatus.DISABLED)
    stage.add("g-plain", group="north", profile=Profile.PLAIN)
    stage.runs("g-2", "1.2")
    stage.runs("g-3", "1.10")
    started = start_rollout(stage.installation, NewRollout("unix/1.2.0", "g-*", "north"))
    assert [(way.device_id, way.state.value) for way in started.ways] == [
        ("g-1", "waiting"),
        ("g-2", "confirmed"),
    ]
    assert started.left_out == {
        "other-board": ["g-esp"],
        "not-active": ["g-off"],
        "plain-profile": ["g-plain"],
        "newer-version": ["g-3"],
    }
    assert started.rollout.rollout_id == "r1"
    await stage.run()
    assert {name: orders for name, orders in stage.ordered().items() if orders} == {
        "g-1": ["update"]
    }


async def test_a_rollout_of_nobody_is_none(stage: Stage) -> None:
    stage.add("a")
    stage.runs("a", "1.2.0")
    for new in (NewRollout("1.2.0"), NewRollout("esp32/1.2.0"), NewRollout("1.3", "z*")):
        with pytest.raises(NotFoundError) as caught:
            start_rollout(stage.installation, new)
        assert caught.value.reference == "rollout-nobody"
    with pytest.raises(UsageError):
        start_rollout(stage.installation, NewRollout("1.3", plan=Plan(cohorts=(5,))))
    assert stage.store.rollouts() == []


async def test_what_failed_for_good_is_not_offered_by_another_rollout(stage: Stage) -> None:
    stage.add("a", "b", "c")
    start_rollout(stage.installation, NewRollout("1.2.0", plan=ALL_AT_ONCE))
    await stage.run()
    stage.say("a", WayState.ROLLED_BACK, "crashed")
    stage.say("b", WayState.FAILED, "no-network", again=True)
    stage.say("c", WayState.REFUSED, "bad-signature")
    abort_rollout(stage.installation)
    await stage.run()
    again = start_rollout(stage.installation, NewRollout("1.2.0"))
    assert again.left_out == {"failed-before": ["a", "c"]}
    assert [way.device_id for way in again.ways] == ["b"]
    abort_rollout(stage.installation)
    asked = start_rollout(stage.installation, NewRollout("1.2.0", again=True))
    assert [way.device_id for way in asked.ways] == ["a", "b", "c"]
    abort_rollout(stage.installation)
    other = start_rollout(stage.installation, NewRollout("1.2.1"))
    assert len(other.ways) == 3


async def test_a_device_is_in_one_rollout_at_a_time(stage: Stage) -> None:
    stage.add("a", "b")
    start_rollout(stage.installation, NewRollout("1.2.0", "a"))
    with pytest.raises(ConflictError) as caught:
        start_rollout(stage.installation, NewRollout("1.3.0"))
    assert caught.value.reference == "rollout-overlaps"
    start_rollout(stage.installation, NewRollout("1.3.0", "b"))
    assert [each.rollout.rollout_id for each in list_rollouts(stage.installation)] == ["r1", "r2"]


# Carried out


async def test_orders_are_signed_and_say_what_is_to_be_done(stage: Stage) -> None:
    stage.add("a")
    start_rollout(stage.installation, NewRollout("1.2.0", plan=Plan(trial_s=45)))
    await stage.run()
    (order,) = stage.orders("a")
    assert (order.name, order.target, order.version, order.trial_s) == (
        "update", "unix/1.2.0.json", "1.2.0", 45,
    )  # fmt: skip
    assert order.n == stage.way("a").n
    assert order.n is not None
    assert order.n >= T0_MS
    (command,) = stage.store.commands()
    assert command.actor == "rollout:r1"
    await stage.run(60_000)
    assert len(stage.orders("a")) == 1
    stage.say("a", WayState.CONFIRMED)
    await stage.run()
    details = show_rollout(stage.installation)
    assert details.rollout.state is RolloutState.COMPLETE
    assert details.counts == {WayState.CONFIRMED: 1}
    kinds = [event.kind for event in stage.store.events()]
    assert kinds[1:] == ["rollout-started", "update-offered", "rollout-complete"]


async def test_a_halt_calls_back_and_a_person_goes_on(stage: Stage) -> None:
    stage.add("a", "b", "c")
    start_rollout(stage.installation, NewRollout("1.2.0", plan=ALL_AT_ONCE))
    await stage.run()
    stage.say("b", WayState.TRYING)
    stage.say("a", WayState.ROLLED_BACK, "no-connection")
    await stage.run()
    details = show_rollout(stage.installation, "r1")
    assert details.rollout.state is RolloutState.HALTED
    assert "1 rolled-back (no-connection)" in details.rollout.reason
    recalled = {"a": ["update"], "b": ["update"], "c": ["update", "update-abort"]}
    assert stage.ordered() == recalled
    stage.say("b", WayState.CONFIRMED)
    resume_rollout(stage.installation)
    await stage.run()
    assert stage.ordered() == {**recalled, "c": ["update", "update-abort", "update"]}
    stage.say("c", WayState.CONFIRMED)
    await stage.run()
    assert show_rollout(stage.installation).rollout.state is RolloutState.COMPLETE


async def test_pause_and_abort(stage: Stage) -> None:
    stage.add("a")
    stage.add("b", online=False)
    start_rollout(stage.installation, NewRollout("1.2.0", plan=ALL_AT_ONCE))
    await stage.run()
    assert pause_rollout(stage.installation).state is RolloutState.PAUSED
    stage.presence["b"] = Presence(True, stage.now_ms)
    await stage.run()
    assert stage.ordered() == {"a": ["update"], "b": []}
    with pytest.raises(ConflictError):
        pause_rollout(stage.installation)
    ended = abort_rollout(stage.installation, "r1")
    assert (ended.state, ended.reason) == (RolloutState.ABORTED, "by cli:me")
    await stage.run()
    assert stage.ordered() == {"a": ["update", "update-abort"], "b": []}
    assert {way.state for way in stage.store.ways("r1")} == {WayState.WITHDRAWN}
    with pytest.raises(ConflictError):
        resume_rollout(stage.installation, "r1")
    with pytest.raises(NotFoundError) as caught:
        resume_rollout(stage.installation, "r9")
    assert caught.value.reference == "no-such-rollout"


async def test_a_device_that_is_tried_in_an_aborted_rollout_falls_silent(stage: Stage) -> None:
    stage.add("a")
    start_rollout(stage.installation, NewRollout("1.2.0"))
    await stage.run()
    stage.say("a", WayState.TRYING)
    abort_rollout(stage.installation)
    await stage.run()
    assert stage.way("a").state is WayState.TRYING
    await stage.run(Plan().silence_ms + 1000 * Plan().trial_s)
    assert stage.way("a").state is WayState.SILENT
    assert stage.ordered() == {"a": ["update"]}


async def test_an_abort_reaches_who_is_silent_or_shut_out_once_it_returns(stage: Stage) -> None:
    stage.add("a", "b", "c")
    stage.add("away", online=False)
    plan = replace(ALL_AT_ONCE, halt_percent=100)
    start_rollout(stage.installation, NewRollout("1.2.0", plan=plan))
    await stage.run()
    stage.say("a", WayState.DOWNLOADING)
    disable_device(stage.installation, "a")
    stage.say("b", WayState.CONFIRMED)
    for name in ("a", "c"):
        stage.presence[name] = Presence(False, stage.now_ms)
    await stage.run(plan.silence_ms)
    assert stage.way("c").state is WayState.SILENT
    abort_rollout(stage.installation)
    stage.start()  # what is left to do is seen by whoever starts next
    await stage.run()
    taken_back = {"a": ["update", "update-abort"], "b": ["update"], "c": ["update", "update-abort"]}
    taken_back["away"] = []
    assert stage.ordered() == taken_back
    enable_device(stage.installation, "a")
    await stage.run()
    assert stage.ordered() == taken_back
    open_now = [command.name for command in stage.store.commands(device_id="a", only_open=True)]
    assert open_now == ["update", "update-abort"]


async def test_another_start_goes_on_and_offers_nothing_twice(stage: Stage) -> None:
    stage.add("a", "b")
    start_rollout(stage.installation, NewRollout("1.2.0", plan=ALL_AT_ONCE))
    await stage.run()
    stage.say("a", WayState.CONFIRMED)
    for _ in range(3):
        stage.start()
        await stage.run(Plan().silence_ms - 6000)  # each start listens anew
    assert stage.ordered() == {"a": ["update"], "b": ["update"]}
    assert stage.way("b").state is WayState.OFFERED


async def test_a_store_that_fails_keeps_neither_order_nor_note(stage: Stage) -> None:
    stage.add("a")
    start_rollout(stage.installation, NewRollout("1.2.0"))
    stage.memory.failure = StoreFullError("full")
    with pytest.raises(StoreFullError):
        await stage.runner.step()
    stage.memory.failure = None
    assert stage.ordered() == {"a": []}
    assert stage.way("a").state is WayState.WAITING
    await stage.run()
    assert stage.ordered() == {"a": ["update"]}


async def test_what_comes_in_between_is_decided_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.add("a", "b")
    start_rollout(stage.installation, NewRollout("1.2.0", plan=ALL_AT_ONCE))
    decide = rollout_runner.advance_rollout
    between: list[Callable[[], object]] = [
        lambda: stage.runs("a", "1.2.0"),
        lambda: stage.store.add_command(
            QueuedCommand("b", T0_MS + 10**6, "identify", b"x", T0_MS), Event(T0_MS, "x", "b")
        ),
        lambda: pause_rollout(stage.installation),
    ]

    def interrupted(*given: Any) -> Any:
        if between:
            between.pop(0)()
        return decide(*given)

    monkeypatch.setattr(rollout_runner, "advance_rollout", interrupted)
    await stage.run()
    assert between == []
    assert stage.way("a").state is WayState.CONFIRMED
    offers = [each.name for each in stage.store.commands() if each.name == "update"]
    assert offers in ([], ["update"])
    assert stage.way("b").attempts == len(offers)


@pytest.mark.parametrize("by_ms", [10 * 3600_000, -10 * 3600_000])
async def test_a_clock_that_is_put_makes_nobody_silent_and_none_deaf(
    by_ms: int, stage: Stage
) -> None:
    stage.add("one", "two")
    plan = Plan(cohorts=(50, 100), soak_ms=120_000)
    start_rollout(stage.installation, NewRollout("1.2.0", plan=plan))
    await stage.run()
    (first,) = [name for name in ("one", "two") if stage.way(name).state is WayState.OFFERED]
    stage.say(first, WayState.TRYING)
    await stage.run()
    stage.put_clock(by_ms)
    await stage.run()
    await stage.run(plan.silence_ms - 60_000)
    assert stage.way(first).state is WayState.TRYING
    await stage.run(120_000)
    assert stage.way(first).state is WayState.SILENT, "it was given its time, and no more"
