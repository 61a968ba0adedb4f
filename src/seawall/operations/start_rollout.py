"""Starts a roll-out: who is in it, who is not and why, and in which cohort."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from seawall.errors import ConflictError, NotFoundError
from seawall.model.device import Device, DeviceStatus, Profile
from seawall.model.ids import check_group
from seawall.model.release import Release, Version, parse_version
from seawall.model.rollout import DeviceSoftware, Plan, Rollout, RolloutState, Way
from seawall.operations.installation import Installation
from seawall.updates.releases import find_release
from seawall.updates.rollout import has_failed_for_good
from seawall.updates.rollout_start import check_plan, first_ways


@dataclass(frozen=True, slots=True)
class NewRollout:
    """What a person says of a roll-out that is to be started.

    Attributes:
        release: Which release: ``BOARD/VERSION``, or a version that one board alone has.
        pattern: Which device ids, as a glob (``green*``; case counts).
        group: Only devices of this group; empty for any.
        plan: How to go about it.
        again: Offer it to devices, too, that failed for good with it before.
    """

    release: str
    pattern: str = "*"
    group: str = ""
    plan: Plan = field(default_factory=Plan)
    again: bool = False


@dataclass(frozen=True, slots=True)
class StartedRollout:
    """A roll-out that was started.

    Attributes:
        rollout: It.
        ways: Of the devices in it.
        left_out: Who fits the pattern and the group, and is not in it, by reason:
            ``other-board``, ``not-active``, ``plain-profile``, ``newer-version``,
            ``failed-before``.
    """

    rollout: Rollout
    ways: Sequence[Way]
    left_out: dict[str, list[str]]


def start_rollout(installation: Installation, new: NewRollout) -> StartedRollout:
    """Start a roll-out; the running daemon carries it out.

    Raises:
        NotFoundError: there is no such release, or nobody to offer it to.
        ConflictError: a device is in another roll-out that is not over.
        UsageError: the plan cannot be carried out.
        StoreError: the store failed; nothing was started.
    """
    check_plan(new.plan)
    check_group(new.group)
    release = find_release(Path(installation.paths.updates), new.release)
    chosen = _choose(installation, release, new)
    if not chosen.waiting:
        raise _nobody(release, chosen)
    while True:
        rollout = _rollout(installation, release, new)
        ways = first_ways(rollout, chosen.waiting, chosen.there)
        event = installation.event(
            "rollout-started", rollout.rollout_id, target=release.target, devices=str(len(ways))
        )
        try:
            installation.store.add_rollout(rollout, ways, event)
        except ConflictError as error:
            if error.reference != "rollout-exists":
                raise
            continue  # somebody else took the number
        return StartedRollout(rollout, ways, dict(chosen.left_out))


def _rollout(installation: Installation, release: Release, new: NewRollout) -> Rollout:
    taken = [int(each.rollout_id[1:]) for each in installation.store.rollouts()]
    now_ms = installation.now_ms()
    return Rollout(
        f"r{max(taken, default=0) + 1}",
        board=release.board,
        version=release.version.text,
        target=release.target,
        sha256=release.sha256,
        pattern=new.pattern,
        group=new.group,
        plan=new.plan,
        state=RolloutState.RUNNING,
        started_ms=now_ms,
        actor=installation.actor,
        opened_ms=now_ms,
    )


@dataclass(slots=True)
class _Chosen:
    waiting: list[str] = field(default_factory=list)
    there: list[str] = field(default_factory=list)
    left_out: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def _choose(installation: Installation, release: Release, new: NewRollout) -> _Chosen:
    chosen = _Chosen()
    software = {entry.device_id: entry for entry in installation.store.software()}
    failed = set() if new.again else _failed_before(installation, release)
    for device in installation.store.devices():
        name = device.device_id
        if not fnmatchcase(name, new.pattern) or (new.group and device.group != new.group):
            continue
        reason = _unfit(device, release)
        runs = _version_of(software.get(name))
        if reason:
            chosen.left_out[reason].append(name)
        elif runs is not None and runs == release.version:
            chosen.there.append(name)
        elif runs is not None and runs > release.version:
            chosen.left_out["newer-version"].append(name)
        elif name in failed:
            chosen.left_out["failed-before"].append(name)
        else:
            chosen.waiting.append(name)
    return chosen


def _unfit(device: Device, release: Release) -> str:
    if device.board.value != release.board:
        return "other-board"
    if device.status is not DeviceStatus.ACTIVE:
        return "not-active"
    return "plain-profile" if device.profile is Profile.PLAIN else ""


def _version_of(software: DeviceSoftware | None) -> Version | None:
    return None if software is None or software.trial else parse_version(software.version)


def _failed_before(installation: Installation, release: Release) -> set[str]:
    store = installation.store
    same = [each for each in store.rollouts() if each.sha256 == release.sha256]
    ways: Iterable[Way] = (way for each in same for way in store.ways(each.rollout_id))
    return {way.device_id for way in ways if has_failed_for_good(way)}


def _nobody(release: Release, chosen: _Chosen) -> NotFoundError:
    reasons = [f"{len(names)} {reason}" for reason, names in sorted(chosen.left_out.items())]
    if chosen.there:
        reasons.insert(0, f"{len(chosen.there)} already there")
    return NotFoundError(
        f"there is no device to offer {release.board}/{release.version} to"
        + (f": {', '.join(reasons)}" if reasons else ""),
        reference="rollout-nobody",
        hint="'seawall device list' shows boards, groups and versions; "
        "--again asks those that failed before",
    )
