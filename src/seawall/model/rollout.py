"""A roll-out of a release to a fleet, and the way of each device in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from seawall.model.command import QueuedCommand
from seawall.model.event import Event

MAX_STEPS: Final = 40
"""So many steps of a device's way are kept, the newest."""
KEPT_ROLLOUTS: Final = 100
"""So many roll-outs that are over are kept, the newest, to look back at."""


class RolloutState(StrEnum):
    """How a roll-out stands. The values are stable and documented."""

    RUNNING = "running"
    PAUSED = "paused"
    """By a person: nobody further is offered it."""
    HALTED = "halted"
    """By itself, on bad news or on silence."""
    ABORTED = "aborted"
    COMPLETE = "complete"
    """Every device has come to an end, good or bad."""

    @property
    def is_open(self) -> bool:
        """Whether it may still go on."""
        return self in (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED)


class WayState(StrEnum):
    """How far a device has come. The values are stable and documented."""

    WAITING = "waiting"
    """For its cohort, or for the device to connect."""
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    VERIFIED = "verified"
    TRYING = "trying"
    CONFIRMED = "confirmed"
    """It runs the version, and a signed reading of that version was stored."""
    ROLLED_BACK = "rolled-back"
    """It tried the version and went back to the one before."""
    REFUSED = "refused"
    FAILED = "failed"
    """It could not get the version: network, flash full."""
    SILENT = "silent"
    """It was offered the version, and nothing was heard of that for too long."""
    WITHDRAWN = "withdrawn"
    """The roll-out was aborted, or the device may not connect any more."""


UNDER_WAY: Final = frozenset(
    {WayState.OFFERED, WayState.DOWNLOADING, WayState.VERIFIED, WayState.TRYING}
)
FINAL: Final = frozenset(
    {WayState.CONFIRMED, WayState.ROLLED_BACK, WayState.REFUSED, WayState.FAILED}
)
"""What a device says last of an order; nothing undoes it for that order."""
_RANK: Final = {
    WayState.OFFERED: 1,
    WayState.DOWNLOADING: 2,
    WayState.VERIFIED: 3,
    WayState.TRYING: 4,
    WayState.CONFIRMED: 5,
    WayState.ROLLED_BACK: 5,
    WayState.REFUSED: 5,
    WayState.FAILED: 5,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How a roll-out goes about it.

    Attributes:
        cohorts: Shares of the fleet that have been offered it after each cohort, percent,
            growing, the last one 100.
        soak_ms: So long a cohort is watched before the next one opens.
        halt_percent: It halts when so many percent of those in a cohort that ended failed.
        silence_ms: A device that was offered it and says nothing of it for so long is silent;
            while it tries it, for as long as a trial beside that.
        trial_s: So long a device tries a version before it rolls back, seconds.
        retry_ms: A temporary failure is offered again after this time, doubled each time.
        max_attempts: A device is offered it so often at most.
    """

    cohorts: tuple[int, ...] = (1, 10, 50, 100)
    soak_ms: int = 600_000
    halt_percent: float = 5.0
    silence_ms: int = 900_000
    trial_s: int = 30
    retry_ms: int = 60_000
    max_attempts: int = 4


@dataclass(frozen=True, slots=True)
class Rollout:
    """One roll-out.

    Attributes:
        rollout_id: ``r1``, ``r2``, ...
        board: Only devices of this board are in it.
        version: Of the release.
        target: TUF path of the release's manifest.
        sha256: Of the manifest, lower-case hex.
        pattern: Which device ids, as a glob.
        group: Which group of devices; empty for any.
        plan: How it goes about it.
        state: How it stands.
        started_ms: UTC milliseconds.
        actor: Who started it: ``cli:NAME``, ``web:NAME``.
        opened_ms: When the newest cohort was opened, UTC milliseconds.
        cohort: The newest cohort that was opened, from 0.
        counted_from_ms: Failures that ended before do not halt it: a person let it go on.
        reason: Why it is halted, or was aborted.
        ended_ms: When it was over, UTC milliseconds.
        revision: Grows with each change; see `store.contract.RolloutStore`.
    """

    rollout_id: str
    board: str
    version: str
    target: str
    sha256: str
    pattern: str
    group: str
    plan: Plan
    state: RolloutState
    started_ms: int
    actor: str
    opened_ms: int
    cohort: int = 0
    counted_from_ms: int = 0
    reason: str = ""
    ended_ms: int | None = None
    revision: int = 0


class WayStep(NamedTuple):
    """A device came into a state; ``reason`` says why, if there is something to say."""

    state: WayState
    at_ms: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One device in one roll-out.

    Attributes:
        rollout_id: Which roll-out.
        device_id: Which device.
        cohort: In which cohort, from 0.
        state: How far it has come.
        since_ms: When it came into that state, UTC milliseconds.
        heard_ms: When it was offered, or last said something of it, UTC milliseconds.
        percent: How much is downloaded, when it downloads.
        reason: Why it ended, or waits.
        again: Whether the device says that it may succeed another time.
        attempts: How often it was offered.
        n: Number of the newest command that offers it.
        first_n: Number of the first one.
        boot: Of the device, when it last said something of it.
        steps: What it went through, oldest first, `MAX_STEPS` at most.
        revision: Grows with each change; see `store.contract.RolloutStore`.
    """

    rollout_id: str
    device_id: str
    cohort: int
    state: WayState
    since_ms: int
    heard_ms: int
    percent: int | None = None
    reason: str = ""
    again: bool = False
    attempts: int = 0
    n: int | None = None
    first_n: int | None = None
    boot: int = 0
    steps: tuple[WayStep, ...] = field(default=())
    revision: int = 0

    def moved(self, state: WayState, at_ms: int, reason: str = "") -> Way:
        """Return the way in another state."""
        step = WayStep(state, at_ms, reason)
        return replace(
            self,
            state=state,
            since_ms=at_ms,
            percent=None,
            reason=reason,
            again=False,
            steps=(*self.steps, step)[-MAX_STEPS:],
        )


class UpdateReport(NamedTuple):
    """What a device says of an order to update.

    Attributes:
        device_id: Who.
        at_ms: When it came, UTC milliseconds.
        re: Number of the command that ordered it.
        state: How far it has come.
        boot: Of the device; None if the message does not say (a reply).
        percent: When it downloads.
        reason: Why it did not succeed.
        again: Whether it may succeed another time.
    """

    device_id: str
    at_ms: int
    re: int
    state: WayState
    boot: int | None = None
    percent: int | None = None
    reason: str = ""
    again: bool = False


class RunningReport(NamedTuple):
    """What a device says that it runs; ``trial`` while the version must still prove itself."""

    device_id: str
    at_ms: int
    version: str
    slot: str
    trial: bool
    boot: int


DeviceReport = UpdateReport | RunningReport


@dataclass(frozen=True, slots=True)
class DeviceSoftware:
    """What a device runs, as it said last."""

    device_id: str
    version: str
    slot: str
    trial: bool
    boot: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class RolloutChange:
    """What is written in one transaction, or not at all.

    Attributes:
        rollout: As it shall be, with the revision that it was read with.
        ways: Those that change, each with the revision that it was read with.
        orders: Commands that are queued.
        events: What is logged.
    """

    rollout: Rollout
    ways: Sequence[Way] = ()
    orders: Sequence[QueuedCommand] = ()
    events: Sequence[Event] = ()


def software_after(known: DeviceSoftware | None, report: RunningReport) -> DeviceSoftware | None:
    """Return what a device runs after it said so; None if that is no news.

    A boot is counted on the device and never comes twice, so what an earlier one
    says is old. Within a boot only a trial that is confirmed changes anything.
    """
    if known is not None:
        is_confirmed = known.boot == report.boot and known.trial and not report.trial
        if not (report.boot > known.boot or is_confirmed):
            return None
    return DeviceSoftware(
        report.device_id, report.version, report.slot, report.trial, report.boot, report.at_ms
    )


def way_after(way: Way, report: UpdateReport) -> Way:
    """Return the way of a device after it said something of an order; itself if that is no news.

    The boot, how far it has come and the percentage only grow within an order,
    so what was said before, and comes again, changes nothing. Of an earlier order of the
    same way only one thing counts: that the version was rolled back.
    """
    if report.re != way.n:
        return _after_earlier_order(way, report)
    if way.state in FINAL:
        return way
    boot = way.boot if report.boot is None else report.boot
    taken_back = way.state in (WayState.WAITING, WayState.WITHDRAWN)
    may_repeat = report.again and report.state is not WayState.ROLLED_BACK
    if taken_back and (_RANK[report.state] < _RANK[WayState.TRYING] or may_repeat):
        return way  # it had not heard yet, or has
    before = (way.boot, _RANK.get(way.state, 0), way.percent or 0)
    if (boot, _RANK[report.state], report.percent or 0) <= before:
        is_word = way.state in UNDER_WAY and boot >= way.boot and report.at_ms > way.heard_ms
        return replace(way, heard_ms=report.at_ms) if is_word and report.boot is None else way
    if report.state is not way.state:
        way = way.moved(report.state, report.at_ms, report.reason)
    return replace(
        way, boot=boot, percent=report.percent, again=report.again, heard_ms=report.at_ms
    )


def _after_earlier_order(way: Way, report: UpdateReport) -> Way:
    if way.n is None or way.first_n is None or not way.first_n <= report.re < way.n:
        return way
    has_ended = way.state in FINAL and not may_be_repeated(way)
    if has_ended or report.state is not WayState.ROLLED_BACK:
        return way
    boot = way.boot if report.boot is None else max(way.boot, report.boot)
    moved = way.moved(WayState.ROLLED_BACK, report.at_ms, report.reason)
    return replace(moved, boot=boot, heard_ms=report.at_ms)


def may_be_repeated(way: Way) -> bool:
    """Whether a device did not succeed, and says that it may another time."""
    return way.state in (WayState.REFUSED, WayState.FAILED) and way.again


def way_after_running(way: Way, report: RunningReport, *, is_target: bool) -> Way:
    """Return the way of a device after it said what it runs; itself if that is no news.

    Args:
        way: As it is.
        report: What it said; news, as `software_after` judges.
        is_target: Whether that is the version that is rolled out.
    """
    if way.state in FINAL or way.state is WayState.WITHDRAWN or report.boot < way.boot:
        return way
    if is_target and not report.trial:
        reason = "" if way.attempts else "already-there"
        moved = way.moved(WayState.CONFIRMED, report.at_ms, reason)
        return replace(moved, boot=report.boot, heard_ms=report.at_ms)
    if way.state in UNDER_WAY and report.at_ms > way.heard_ms:
        return replace(way, heard_ms=report.at_ms)  # it is alive, and goes on
    return way
