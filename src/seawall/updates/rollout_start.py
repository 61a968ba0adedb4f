"""Who is in a roll-out, in which cohort; and what people may order of one. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from seawall.errors import ConflictError, UsageError
from seawall.model.rollout import Plan, Rollout, RolloutState, Way, WayState
from seawall.updates.rollout import may_hold_order
from seawall.wire.commands import MAX_TRIAL_S, MIN_TRIAL_S

MAX_COHORTS: Final = 20
MAX_SPAN_MS: Final = 30 * 86_400_000
MIN_SILENCE_MS: Final = 1000


def check_plan(plan: Plan) -> Plan:
    """Return a plan if it can be carried out.

    Raises:
        UsageError: with what is out of range.
    """
    cohorts = plan.cohorts
    grows = list(cohorts) == sorted(set(cohorts))
    if not (grows and 0 < len(cohorts) <= MAX_COHORTS and cohorts[0] >= 1 and cohorts[-1] == 100):
        raise UsageError(
            f"cohorts of {','.join(map(str, cohorts))[:60] or 'nothing'} percent are not allowed",
            reference="bad-cohorts",
            hint="whole percentages that grow, the last one 100, such as 1,10,50,100",
        )
    if not 0 <= plan.halt_percent <= 100:
        raise UsageError(
            f"a share of {plan.halt_percent:g} % is none", hint="0 to 100 %", reference="bad-share"
        )
    limits = (
        ("soak", plan.soak_ms, 0),
        ("silence", plan.silence_ms, MIN_SILENCE_MS),
        ("retry", plan.retry_ms, 0),
    )
    for name, span_ms, least_ms in limits:
        if not least_ms <= span_ms <= MAX_SPAN_MS:
            raise UsageError(
                f"a {name} of {span_ms / 1000:g} s is out of range",
                reference="bad-span",
                hint=f"{least_ms / 1000:g} s to 30 days",
            )
    if not MIN_TRIAL_S <= plan.trial_s <= MAX_TRIAL_S:
        raise UsageError(
            f"a trial of {plan.trial_s} s is out of range",
            reference="bad-span",
            hint=f"{MIN_TRIAL_S} to {MAX_TRIAL_S} s",
        )
    return plan


def cohorts_of(
    rollout_id: str, device_ids: Sequence[str], percents: Sequence[int]
) -> dict[str, int]:
    """Return each device's cohort, from 0; the same today and tomorrow.

    Devices are ordered by SHA-256 of the roll-out's id and their own, so that another
    roll-out begins with others. At least one device is in the first cohort.

    Args:
        rollout_id: Of the roll-out.
        device_ids: Who is to be offered the version.
        percents: Shares of all of them after each cohort, growing, the last one 100.
    """

    def place(device_id: str) -> bytes:
        return hashlib.sha256(f"{rollout_id}\0{device_id}".encode()).digest()

    found: dict[str, int] = {}
    count = len(device_ids)
    for number, device_id in enumerate(sorted(device_ids, key=place)):
        # ceil: a percentage of few is one of them at least.
        found[device_id] = next(
            cohort for cohort, percent in enumerate(percents) if number < -(-percent * count // 100)
        )
    return found


def first_ways(
    rollout: Rollout, device_ids: Sequence[str], already_there: Sequence[str]
) -> list[Way]:
    """Return the ways of a roll-out that begins.

    Args:
        rollout: Which.
        device_ids: Who is to be offered the version.
        already_there: Who runs it already: done, without a part in any cohort's judgement.
    """
    at_ms = rollout.started_ms
    cohorts = cohorts_of(rollout.rollout_id, device_ids, rollout.plan.cohorts)
    waiting = [
        Way(rollout.rollout_id, device_id, cohort, WayState.WAITING, at_ms, at_ms)
        for device_id, cohort in cohorts.items()
    ]
    there = [
        Way(rollout.rollout_id, device_id, 0, WayState.WAITING, at_ms, at_ms).moved(
            WayState.CONFIRMED, at_ms, "already-there"
        )
        for device_id in already_there
    ]
    return sorted([*waiting, *there], key=lambda way: way.device_id)


def paused(rollout: Rollout) -> Rollout:
    """Return a roll-out that offers nothing further.

    Raises:
        ConflictError: it does not run.
    """
    if rollout.state is not RolloutState.RUNNING:
        raise _wrong_state(rollout, "paused", "running")
    return replace(rollout, state=RolloutState.PAUSED)


def resumed(rollout: Rollout, ways: Sequence[Way], now_ms: int) -> tuple[Rollout, list[Way]]:
    """Return a roll-out that goes on, and the ways that change with it.

    After a halt, what has failed so far does not count any more, and stays failed: it is
    not offered again. Who was silent is offered it again, unless it was trying it: what came
    of that it is still to say.

    Raises:
        ConflictError: it is neither paused nor halted.
    """
    if rollout.state is RolloutState.PAUSED:
        return replace(rollout, state=RolloutState.RUNNING), []
    if rollout.state is not RolloutState.HALTED:
        raise _wrong_state(rollout, "resumed", "paused or halted")
    silent = [way for way in ways if way.state is WayState.SILENT and may_hold_order(way)]
    running = replace(rollout, state=RolloutState.RUNNING, counted_from_ms=now_ms, reason="")
    return running, [way.moved(WayState.WAITING, now_ms, "resumed") for way in silent]


def aborted(rollout: Rollout, actor: str, now_ms: int) -> Rollout:
    """Return a roll-out that is over; devices that try the version already may keep it.

    Raises:
        ConflictError: it is over already.
    """
    if not rollout.state.is_open:
        raise _wrong_state(rollout, "aborted", "running, paused or halted")
    reason = f"by {actor}" + (f"; {rollout.reason}" if rollout.reason else "")
    return replace(rollout, state=RolloutState.ABORTED, ended_ms=now_ms, reason=reason)


def _wrong_state(rollout: Rollout, done: str, allowed: str) -> ConflictError:
    return ConflictError(
        f"roll-out {rollout.rollout_id} is {rollout.state.value} and cannot be {done}",
        reference="rollout-state",
        hint=f"only one that is {allowed} can",
    )
