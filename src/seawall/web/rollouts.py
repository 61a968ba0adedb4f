"""Releases and roll-outs: the port of the web side, and what is shown of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol

from pydantic import BaseModel, ConfigDict, Field

from seawall.errors import ServiceError
from seawall.model.release import Release, ReleaseKind
from seawall.model.rollout import DeviceSoftware, Rollout, RolloutState, Way, WayState
from seawall.operations.list_rollouts import RolloutOverview
from seawall.operations.show_rollout import RolloutDetails
from seawall.operations.start_rollout import NewRollout, StartedRollout


class Rollouts(Protocol):
    """What may be asked and ordered. All of it blocks; ``user_name`` is who orders.

    Errors are those of the operations of the same names.
    """

    def releases(self) -> Sequence[Release]:
        """Return the published releases, by board, the newest last."""

    def list(self) -> Sequence[RolloutOverview]:
        """Return the roll-outs that are kept, in the order in which they were started."""

    def show(self, rollout_id: str) -> RolloutDetails:
        """Return one roll-out and the way of each device."""

    def start(self, user_name: str, new: NewRollout) -> StartedRollout:
        """Start a roll-out."""

    def pause(self, user_name: str, rollout_id: str) -> Rollout:
        """Offer nothing further."""

    def resume(self, user_name: str, rollout_id: str) -> Rollout:
        """Let it go on."""

    def abort(self, user_name: str, rollout_id: str) -> Rollout:
        """End it."""


class NoRollouts:
    """Stands where there are none."""

    def __getattr__(self, name: str) -> Any:
        return _refuse


def _refuse(*given: object) -> NoReturn:
    raise ServiceError("roll-outs cannot be ordered from here", reference="no-rollouts")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReleaseView(_Frozen):
    """A published release."""

    release: str = Field(description="BOARD/VERSION, as `POST /api/v1/rollouts` takes it")
    board: str
    version: str
    kind: ReleaseKind
    target: str = Field(description="TUF target path of its manifest")
    sha256: str = Field(description="of the manifest, lower-case hex")
    files: int = Field(description="how many it has")
    size: int = Field(description="of all its files together, bytes")
    published_ms: int


class PlanView(_Frozen):
    """How a roll-out goes about it."""

    cohorts: list[int] = Field(description="percent of the devices after each cohort")
    soak_ms: int
    halt_percent: float
    silence_ms: int
    trial_s: int


class StepView(_Frozen):
    """A device came into a state."""

    state: WayState
    at_ms: int
    reason: str


class WayView(_Frozen):
    """The way of one device."""

    device_id: str
    cohort: int = Field(description="from 1")
    state: WayState
    percent: int | None = Field(description="while it downloads, if it said")
    reason: str
    again: bool = Field(description="it may succeed another time, it says")
    attempts: int = Field(description="how often it was offered")
    command: int | None = Field(description="number of the newest command that offers it")
    since_ms: int = Field(description="when it came into this state")
    heard_ms: int = Field(description="when it was offered, or last said something of it")
    running: str | None = Field(description="the version that it says it runs")
    steps: list[StepView] = Field(description="what it went through, oldest first")


class RolloutView(_Frozen):
    """A roll-out."""

    rollout_id: str
    state: RolloutState
    reason: str = Field(description="why it halted, or who aborted it")
    release: str
    board: str
    version: str
    sha256: str = Field(description="of the manifest, lower-case hex")
    pattern: str
    group: str
    actor: str = Field(description="who started it")
    started_ms: int
    ended_ms: int | None
    cohort: int = Field(description="the newest that was opened, from 1")
    plan: PlanView
    counts: dict[WayState, int] = Field(description="how many devices have come how far")


class RolloutDetailsView(RolloutView):
    """A roll-out, and the way of each device."""

    devices: list[WayView]


class StartedView(RolloutDetailsView):
    """A roll-out that was started, and who is not in it."""

    left_out: dict[str, list[str]] = Field(
        description="devices that fit pattern and group, by reason: other-board, not-active, "
        "plain-profile, newer-version, failed-before"
    )


def release_view(release: Release) -> ReleaseView:
    """Return a release as it is shown."""
    return ReleaseView(
        release=release.target.removesuffix(".json"),
        board=release.board,
        version=release.version.text,
        kind=release.kind,
        target=release.target,
        sha256=release.sha256,
        files=len(release.files),
        size=release.size,
        published_ms=release.published_ms,
    )


def rollout_view(rollout: Rollout, counts: Mapping[WayState, int]) -> RolloutView:
    """Return a roll-out as it is shown."""
    return RolloutView(**_facts(rollout, counts))


def details_view(
    rollout: Rollout, ways: Sequence[Way], software: Mapping[str, DeviceSoftware]
) -> RolloutDetailsView:
    """Return a roll-out and the way of each device as they are shown."""
    counts = Counter(way.state for way in ways)
    devices = [_way_view(way, software.get(way.device_id)) for way in ways]
    return RolloutDetailsView(**_facts(rollout, counts), devices=devices)


def _facts(rollout: Rollout, counts: Mapping[WayState, int]) -> dict[str, Any]:
    plan = rollout.plan
    return {
        "rollout_id": rollout.rollout_id,
        "state": rollout.state,
        "reason": rollout.reason,
        "release": rollout.target.removesuffix(".json"),
        "board": rollout.board,
        "version": rollout.version,
        "sha256": rollout.sha256,
        "pattern": rollout.pattern,
        "group": rollout.group,
        "actor": rollout.actor,
        "started_ms": rollout.started_ms,
        "ended_ms": rollout.ended_ms,
        "cohort": rollout.cohort + 1,
        "plan": PlanView(
            cohorts=list(plan.cohorts),
            soak_ms=plan.soak_ms,
            halt_percent=plan.halt_percent,
            silence_ms=plan.silence_ms,
            trial_s=plan.trial_s,
        ),
        "counts": {state: counts.get(state, 0) for state in WayState},
    }


def _way_view(way: Way, software: DeviceSoftware | None) -> WayView:
    return WayView(
        device_id=way.device_id,
        cohort=way.cohort + 1,
        state=way.state,
        percent=way.percent,
        reason=way.reason,
        again=way.again,
        attempts=way.attempts,
        command=way.n,
        since_ms=way.since_ms,
        heard_ms=way.heard_ms,
        running=None if software is None else software.version,
        steps=[
            StepView(state=step.state, at_ms=step.at_ms, reason=step.reason) for step in way.steps
        ],
    )
