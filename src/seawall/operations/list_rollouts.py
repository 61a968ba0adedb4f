"""Lists the roll-outs."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from seawall.model.rollout import Rollout, WayState
from seawall.operations.installation import Installation


class RolloutOverview(NamedTuple):
    """A roll-out, and how many of its devices have come how far."""

    rollout: Rollout
    counts: dict[WayState, int]


def list_rollouts(installation: Installation) -> list[RolloutOverview]:
    """Return the roll-outs that are kept, in the order in which they were started.

    Raises:
        StoreError: the store failed.
    """
    store = installation.store
    return [
        RolloutOverview(each, dict(Counter(way.state for way in store.ways(each.rollout_id))))
        for each in store.rollouts()
    ]
