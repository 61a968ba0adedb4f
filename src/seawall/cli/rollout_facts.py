"""Roll-outs as the command line takes and shows them: for machines and for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from seawall.cli.moments import parse_span, shown_utc
from seawall.errors import UsageError
from seawall.model.rollout import DeviceSoftware, Plan, Rollout, Way, WayState

if TYPE_CHECKING:
    from seawall.operations.show_rollout import RolloutDetails

COLUMNS: Final = ("device", "cohort", "state", "since", "runs", "tries", "why")
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,3})?)\s*%?\Z", re.ASCII)


def parse_cohorts(text: str) -> tuple[int, ...]:
    """Return the percentages that a text such as ``1,10,50,100`` names.

    Raises:
        UsageError: it names none.
    """
    parts = [part.strip().removesuffix("%") for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        raise UsageError(
            f"{text[:40]!r} names no cohorts",
            reference="bad-cohorts",
            hint="whole percentages that grow, the last one 100, such as 1,10,50,100",
        )
    return tuple(map(int, parts))


def parse_share(text: str) -> float:
    """Return the percentage that a text such as ``5%`` or ``2.5`` names.

    Raises:
        UsageError: it names none.
    """
    found = _SHARE.match(text.strip())
    if found is None:
        raise UsageError(
            f"{text[:40]!r} is no share", reference="bad-share", hint="such as 5% or 2.5%"
        )
    return float(found[1])


def parse_seconds(text: str) -> int:
    """Return the whole seconds that a text such as ``30s`` or ``2m`` names.

    Raises:
        UsageError: it names none, or a fraction of them.
    """
    seconds, rest = divmod(parse_span(text), 1000)
    if rest:
        raise UsageError(f"{text[:40]!r} is no whole number of seconds", reference="bad-span")
    return seconds


def span_words(span_ms: int) -> str:
    """Return a length of time for people: ``10m``, ``1.5h``, ``30s``."""
    for unit, unit_ms in (("h", 3_600_000), ("m", 60_000)):
        if span_ms >= unit_ms and span_ms * 2 % unit_ms == 0:
            return f"{span_ms / unit_ms:g}{unit}"
    return f"{span_ms / 1000:g}s"


def rollout_json(rollout: Rollout, counts: Mapping[WayState, int]) -> dict[str, Any]:
    """Return a roll-out for machines."""
    return {
        "rollout": rollout.rollout_id,
        "state": rollout.state.value,
        "reason": rollout.reason,
        "board": rollout.board,
        "version": rollout.version,
        "target": rollout.target,
        "sha256": rollout.sha256,
        "pattern": rollout.pattern,
        "group": rollout.group,
        "actor": rollout.actor,
        "started_ms": rollout.started_ms,
        "ended_ms": rollout.ended_ms,
        "cohort": rollout.cohort + 1,
        "plan": plan_json(rollout.plan),
        "counts": {state.value: counts.get(state, 0) for state in WayState},
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan for machines."""
    return {
        "cohorts": list(plan.cohorts),
        "soak_ms": plan.soak_ms,
        "halt_percent": plan.halt_percent,
        "silence_ms": plan.silence_ms,
        "trial_s": plan.trial_s,
    }


def way_json(way: Way, software: DeviceSoftware | None) -> dict[str, Any]:
    """Return one device's way for machines."""
    return {
        "device": way.device_id,
        "cohort": way.cohort + 1,
        "state": way.state.value,
        "percent": way.percent,
        "reason": way.reason,
        "again": way.again,
        "tries": way.attempts,
        "command": way.n,
        "since_ms": way.since_ms,
        "heard_ms": way.heard_ms,
        "running": None if software is None else software.version,
        "steps": [
            {"state": step.state.value, "at_ms": step.at_ms, "reason": step.reason}
            for step in way.steps
        ],
    }


def details_json(details: RolloutDetails) -> dict[str, Any]:
    """Return a roll-out and the way of each device for machines."""
    return {
        **rollout_json(details.rollout, details.counts),
        "devices": [way_json(way, details.software.get(way.device_id)) for way in details.ways],
    }


def state_words(way: Way) -> str:
    """Return how far a device has come."""
    if way.percent is not None:
        return f"{way.state.value} {way.percent} %"
    return way.state.value


def way_row(way: Way, software: DeviceSoftware | None) -> tuple[str, ...]:
    """Return a row of ``rollout status``; `COLUMNS` are its headings."""
    return (
        way.device_id,
        str(way.cohort + 1),
        state_words(way),
        shown_utc(way.since_ms),
        "-" if software is None else software.version,
        str(way.attempts),
        way.reason + (", tried again later" if way.again and way.reason else ""),
    )


def counts_words(counts: Mapping[WayState, int]) -> str:
    """Return how many have come how far: ``12 confirmed, 1 trying, 87 waiting``."""
    named = [f"{counts[state]} {state.value}" for state in WayState if counts.get(state)]
    return ", ".join(named) or "nobody"


def rollout_facts(rollout: Rollout, ways: Iterable[Way]) -> dict[str, object]:
    """Return what stands above the table of devices."""
    kept = list(ways)
    plan = rollout.plan
    sizes = Counter(way.cohort for way in kept if way.attempts or way.reason != "already-there")
    cohorts = [
        f"{percent} % ({sizes[number]})" + (" open" if number <= rollout.cohort else "")
        for number, percent in enumerate(plan.cohorts)
        if sizes[number]
    ]
    state = rollout.state.value + (f": {rollout.reason}" if rollout.reason else "")
    to = rollout.pattern + (f" in group {rollout.group}" if rollout.group else "")
    return {
        "roll-out": rollout.rollout_id,
        "release": f"{rollout.board}/{rollout.version}",
        "to": to,
        "state": state,
        "devices": counts_words(Counter(way.state for way in kept)),
        "cohorts": ", ".join(cohorts),
        "rules": f"soak {span_words(plan.soak_ms)}, halt at {plan.halt_percent:g} %, "
        f"silence {span_words(plan.silence_ms)}, trial {plan.trial_s}s",
        "started": f"{shown_utc(rollout.started_ms)} by {rollout.actor}",
    }
