"""Roll-outs and ways as JSON, for drivers that keep them so. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from seawall.model.rollout import Plan, Rollout, RolloutState, Way, WayState, WayStep


def rollout_text(rollout: Rollout) -> str:
    """Return all of a roll-out but its revision."""
    facts = asdict(rollout)
    del facts["revision"]
    return json.dumps(facts)


def rollout_of(text: str, revision: int) -> Rollout:
    """Return the roll-out that `rollout_text` wrote."""
    facts: dict[str, Any] = json.loads(text)
    plan: dict[str, Any] = facts.pop("plan")
    plan["cohorts"] = tuple(plan["cohorts"])
    facts["state"] = RolloutState(facts["state"])
    return Rollout(**facts, plan=Plan(**plan), revision=revision)


def way_text(way: Way) -> str:
    """Return all of a way but its names and its revision."""
    return json.dumps(
        [
            way.cohort,
            way.state.value,
            way.since_ms,
            way.heard_ms,
            way.percent,
            way.reason,
            way.again,
            way.attempts,
            way.n,
            way.boot,
            [[step.state.value, step.at_ms, step.reason] for step in way.steps],
            way.first_n,
        ]
    )


def way_of(rollout_id: str, device_id: str, revision: int, text: str) -> Way:
    """Return the way that `way_text` wrote."""
    cohort, state, since_ms, heard_ms, percent, reason, again, attempts, n, boot, steps, *later = (
        json.loads(text)
    )
    (first_n,) = later or (None,)  # earlier checkouts did not write it
    return Way(
        rollout_id=rollout_id,
        device_id=device_id,
        cohort=cohort,
        state=WayState(state),
        since_ms=since_ms,
        heard_ms=heard_ms,
        percent=percent,
        reason=reason,
        again=again,
        attempts=attempts,
        n=n,
        first_n=first_n,
        boot=boot,
        steps=tuple(WayStep(WayState(name), at_ms, why) for name, at_ms, why in steps),
        revision=revision,
    )
