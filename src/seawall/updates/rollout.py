"""Decides how a roll-out goes on. Pure: roll-out, ways, facts and the clock in, a decision out.

A cohort opens when the one before it has come to its end, one of it at least
proved the version, and it was watched for a while since. Devices that are away
are waited for, and hold nobody up. What fails too often, or falls silent, halts
everything, and what is not yet tried is taken back. Who failed for good is never
asked again; only what a device calls temporary is, a few times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from seawall.model.command import COMMAND_LIFETIME_MS
from seawall.model.device import DeviceStatus
from seawall.model.release import Version, parse_version
from seawall.model.rollout import (
    UNDER_WAY,
    DeviceSoftware,
    Plan,
    Rollout,
    RolloutState,
    Way,
    WayState,
    may_be_repeated,
)

MAX_UNDER_WAY: Final = 200
"""So many devices fetch and try a release at the same time at most."""
MIN_JUDGED: Final = 20
"""A share is one of at least so many devices, or of the whole cohort if it is smaller: one
of the first three that end does not speak for a thousand."""
SETTLING_MS: Final = 60_000
"""After the daemon has started, devices get so long to connect before the next cohort opens."""

AWAY: Final = "away"
"""Why a device waits whose turn it is: it is not connected."""
ENABLED: Final = "enabled"
"""Why a device is where it is: it was let in again, and has not connected since."""

_RECALLABLE: Final = UNDER_WAY - {WayState.TRYING}
_BAD: Final = frozenset({WayState.ROLLED_BACK, WayState.REFUSED, WayState.FAILED, WayState.SILENT})


class DeviceFacts(NamedTuple):
    """What is known of a device now.

    Attributes:
        status: Its entry in the registry.
        online: Whether it is connected; False if that is not known.
        software: What it said that it runs.
    """

    status: DeviceStatus
    online: bool
    software: DeviceSoftware | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to happen, all of it or nothing.

    Attributes:
        rollout: As it shall be.
        ways: Those that change, without the offers.
        offers: Ways of devices that are to be offered the version now, as they were read.
        recalls: Devices whose order is to be taken back; their ways are among ``ways``.
        events: What is to be logged: kind and details.
    """

    rollout: Rollout
    ways: tuple[Way, ...] = ()
    offers: tuple[Way, ...] = ()
    recalls: tuple[str, ...] = ()
    events: tuple[tuple[str, dict[str, str]], ...] = ()

    def changes(self, before: Rollout) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.ways or self.offers or self.recalls or self.rollout != before)


def offered(way: Way, n: int, at_ms: int) -> Way:
    """Return the way of a device that is offered the version by a command of that number."""
    moved = way.moved(WayState.OFFERED, at_ms)
    first_n = n if way.first_n is None else way.first_n
    return replace(moved, n=n, first_n=first_n, attempts=way.attempts + 1, heard_ms=at_ms)


def may_retry(way: Way, plan: Plan) -> bool:
    """Whether a device that did not succeed is to be offered it another time.

    What was tried and rolled back never is: the version has shown what it does there.
    """
    return may_be_repeated(way) and way.attempts < plan.max_attempts


def is_over(way: Way, plan: Plan) -> bool:
    """Whether a device has come to its end in this roll-out, good or bad."""
    if way.state is WayState.WAITING or way.state in UNDER_WAY:
        return False
    return not may_retry(way, plan)


def has_failed(way: Way, plan: Plan) -> bool:
    """Whether a device has come to a bad end."""
    return way.state in _BAD and not may_retry(way, plan)


def has_failed_for_good(way: Way) -> bool:
    """Whether a device has shown that this very release does not do there."""
    if way.state is WayState.ROLLED_BACK:
        return True
    return way.state in (WayState.REFUSED, WayState.FAILED) and not way.again


def doing(way: Way) -> WayState:
    """Return what a device did last, also of one that is silent or shut out since."""
    was_cut_off = way.state is WayState.SILENT or is_shut_out(way)
    return way.steps[-2].state if was_cut_off and len(way.steps) > 1 else way.state


def is_shut_out(way: Way) -> bool:
    """Whether a device takes no part until it is enabled again."""
    return way.state is WayState.WITHDRAWN and way.reason == DeviceStatus.DISABLED.value


def may_hold_order(way: Way) -> bool:
    """Whether a device may have an order before it, or on its flash, that it does not try yet.

    That of a device that is silent or shut out goes on to wait for it.
    """
    return doing(way) in _RECALLABLE


def decide(
    rollout: Rollout,
    ways: Sequence[Way],
    facts: Mapping[str, DeviceFacts],
    now_ms: int,
    listening_since_ms: int,
) -> Decision:
    """Return what is to happen now.

    Args:
        rollout: As it was read.
        ways: Of all its devices, as they were read.
        facts: Of all devices that are registered.
        now_ms: The clock, UTC milliseconds.
        listening_since_ms: Since when devices can reach the server, or the clock was put forward
            or back; nobody is called silent for what could not be heard.
    """
    step = _Step(rollout, {way.device_id: way for way in ways}, facts, now_ms, listening_since_ms)
    if rollout.state in (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.HALTED):
        step.look()
    if rollout.state is RolloutState.RUNNING and not step.halt():
        step.open_cohorts()
        step.offer()
        step.complete()
    elif rollout.state is RolloutState.HALTED:
        step.take_back_from_who_returned()
    elif rollout.state is RolloutState.ABORTED:
        step.withdraw()
    changed = tuple(way for way in step.ways.values() if way is not step.read[way.device_id])
    return Decision(
        step.rollout, changed, tuple(step.offers), tuple(step.recalls), tuple(step.events)
    )


@dataclass(slots=True)
class _Step:
    """One decision being made."""

    rollout: Rollout
    read: dict[str, Way]
    facts: Mapping[str, DeviceFacts]
    now_ms: int
    listening_since_ms: int
    ways: dict[str, Way] = field(init=False)
    target: Version = field(init=False)
    offers: list[Way] = field(default_factory=list)
    recalls: list[str] = field(default_factory=list)
    events: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ways = dict(self.read)
        self.target = parse_version(self.rollout.version)

    @property
    def plan(self) -> Plan:
        return self.rollout.plan

    def look(self) -> None:
        """See who has gone, come back, or fallen silent."""
        for way in self.read.values():
            self.ways[way.device_id] = self._seen(way)

    def _seen(self, way: Way) -> Way:
        facts = self.facts.get(way.device_id)
        status = None if facts is None else facts.status
        if facts is None or status is not DeviceStatus.ACTIVE:
            if is_over(way, self.plan):
                return way
            return way.moved(WayState.WITHDRAWN, self.now_ms, status.value if status else "gone")
        runs = facts.software
        is_there = runs is not None and not runs.trial and _same(runs.version, self.target)
        if is_there and not (is_over(way, self.plan) or way.state in UNDER_WAY):
            return way.moved(WayState.CONFIRMED, self.now_ms, "already-there")
        if is_shut_out(way):
            return self._let_in(way)
        if _is_awaited(way):
            return replace(way, reason="", heard_ms=self.now_ms) if facts.online else way
        return self._unless_silent(way)

    def _let_in(self, way: Way) -> Way:
        """Have a device go on where it was shut out: what came of its order it is still to say."""
        was = doing(way)
        waited_ms = self.now_ms - self._past(way.heard_ms)
        is_given_up = was is WayState.OFFERED and waited_ms >= COMMAND_LIFETIME_MS
        state = was if was in UNDER_WAY and not is_given_up else WayState.WAITING
        return way.moved(state, self.now_ms, ENABLED)

    def _unless_silent(self, way: Way) -> Way:
        heard_ms = max(self._past(way.heard_ms), self.listening_since_ms)
        # Who tries it has nothing to say until the trial is over.
        trial_ms = 1000 * self.plan.trial_s if way.state is WayState.TRYING else 0
        if way.state in UNDER_WAY and self.now_ms - heard_ms >= self.plan.silence_ms + trial_ms:
            return way.moved(WayState.SILENT, self.now_ms, f"after-{way.state.value}")
        return way

    def _past(self, at_ms: int) -> int:
        """Return a time that was noted; what is ahead was noted before the clock was put back."""
        return at_ms if at_ms <= self.now_ms else self.listening_since_ms

    def _was_before(self, way: Way, at_ms: int) -> bool:
        """Whether a way has come into its state at a time, or before."""
        if min(way.since_ms, at_ms) > self.now_ms:
            return way.since_ms <= at_ms  # by the same clock
        return self._past(way.since_ms) <= self._past(at_ms)

    def halt(self) -> bool:
        """Halt on bad news; tell whether."""
        for cohort in range(self.rollout.cohort + 1):
            reason = self._bad_news(cohort)
            if reason:
                self.rollout = replace(self.rollout, state=RolloutState.HALTED, reason=reason)
                self.events.append(("rollout-halted", {"reason": reason}))
                self._take_back_at_halt()
                return True
        return False

    def _bad_news(self, cohort: int) -> str:
        """Return why a cohort halts everything; empty if it does not."""
        since_ms = self.rollout.counted_from_ms
        # Who was there before, or ended before a person let it go on, proves nothing.
        judged = [
            way
            for way in self.ways.values()
            if way.cohort == cohort
            and way.state is not WayState.WITHDRAWN
            and not (
                is_over(way, self.plan) and (not way.attempts or self._was_before(way, since_ms))
            )
        ]
        ended = [way for way in judged if is_over(way, self.plan)]
        failed = [way for way in ended if has_failed(way, self.plan)]
        of = max(len(ended), min(len(judged), MIN_JUDGED))
        if not failed or len(failed) * 100 < self.plan.halt_percent * of:
            return ""
        return f"cohort {cohort + 1}: {_told(failed)}, of {len(ended)} that ended"

    def _take_back_at_halt(self) -> None:
        for way in list(self.ways.values()):
            if way.state is WayState.SILENT and may_hold_order(way):
                self.recalls.append(way.device_id)  # it stays what halted it
            elif may_hold_order(way):
                # Who is shut out, too: nothing is left that it could go on with.
                self._take_back(way, WayState.WAITING, "recalled")

    def take_back_from_who_returned(self) -> None:
        """Take it back from who was silent when it halted, and goes on with it now."""
        for way in list(self.ways.values()):
            if way.state in _RECALLABLE:
                self._take_back(way, WayState.WAITING, "recalled")

    def _take_back(self, way: Way, state: WayState, reason: str) -> None:
        self.ways[way.device_id] = way.moved(state, self.now_ms, reason)
        self.recalls.append(way.device_id)

    def withdraw(self) -> None:
        """Take back what is not tried yet, and wait for nobody; for an aborted roll-out."""
        for way in list(self.ways.values()):
            if may_hold_order(way):
                self._take_back(way, WayState.WITHDRAWN, "aborted")
            elif way.state is WayState.WAITING:
                self.ways[way.device_id] = way.moved(WayState.WITHDRAWN, self.now_ms, "aborted")
            elif way.state is WayState.TRYING:
                self.ways[way.device_id] = self._unless_silent(way)

    def open_cohorts(self) -> None:
        """Open the next cohort that has anybody in it, if it is time."""
        later = [way.cohort for way in self.ways.values() if way.cohort > self.rollout.cohort]
        if later and self._is_settled():
            cohort = min(later)
            self.rollout = replace(self.rollout, cohort=cohort, opened_ms=self.now_ms)
            self.events.append(("rollout-cohort-opened", {"cohort": str(cohort + 1)}))

    def _is_settled(self) -> bool:
        plan, current = self.plan, self.rollout.cohort
        opened = [way for way in self.ways.values() if way.cohort <= current]
        if any(not is_over(way, plan) and not self._is_away(way) for way in opened):
            return False
        newest = [way for way in opened if way.cohort == current]
        has_proof = any(way.state is WayState.CONFIRMED and way.attempts for way in newest)
        if not has_proof and not all(is_over(way, plan) for way in newest):
            return False
        ended_ms = [way.since_ms for way in opened if is_over(way, plan) and way.attempts]
        since_ms = max(self._past(each) for each in (self.rollout.opened_ms, *ended_ms))
        heard_ms = self.listening_since_ms + min(plan.soak_ms, SETTLING_MS)
        return self.now_ms >= max(since_ms + plan.soak_ms, heard_ms)

    def _is_away(self, way: Way) -> bool:
        facts = self.facts.get(way.device_id)
        is_at_it = way.state in UNDER_WAY and not _is_awaited(way)
        return not is_at_it and (facts is None or not facts.online)

    def offer(self) -> None:
        """Offer it to those whose turn it is, and who are there."""
        room = MAX_UNDER_WAY - sum(way.state in UNDER_WAY for way in self.ways.values())
        turn = (way for way in self.ways.values() if self._is_due(way))
        for way in sorted(turn, key=lambda way: (way.cohort, way.device_id))[: max(0, room)]:
            if way is self.read[way.device_id]:  # else: once what was seen is written
                self.offers.append(way)
        for way in list(self.ways.values()):
            is_turn = way.state is WayState.WAITING and way.cohort <= self.rollout.cohort
            if is_turn and way.reason != AWAY and self._is_away(way):
                self.ways[way.device_id] = replace(way, reason=AWAY)

    def _is_due(self, way: Way) -> bool:
        if way.cohort > self.rollout.cohort or self._is_away(way):
            return False
        if way.state is WayState.WAITING:
            return True
        if not may_retry(way, self.plan):
            return False
        return self.now_ms >= self._past(way.since_ms) + (self.plan.retry_ms << (way.attempts - 1))

    def complete(self) -> None:
        """End the roll-out if everybody has come to an end."""
        if all(is_over(way, self.plan) for way in self.ways.values()):
            self.rollout = replace(
                self.rollout, state=RolloutState.COMPLETE, ended_ms=self.now_ms, reason=""
            )
            self.events.append(("rollout-complete", {}))


def _is_awaited(way: Way) -> bool:
    return way.state in UNDER_WAY and way.reason == ENABLED


def _same(text: str, version: Version) -> bool:
    return parse_version(text) == version


def _told(failed: Iterable[Way]) -> str:
    counts: dict[str, int] = {}
    for way in failed:
        why = "" if way.state is WayState.SILENT else f" ({way.reason})"
        counts[f"{way.state.value}{why}"] = counts.get(f"{way.state.value}{why}", 0) + 1
    return ", ".join(f"{count} {words}" for words, count in sorted(counts.items()))
