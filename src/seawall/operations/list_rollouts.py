"""Lists the roll-outs."""

from __future__ import annotations

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
    counts = installation.store.way_counts()
    return [
        RolloutOverview(each, counts.get(each.rollout_id, {}))
        for each in installation.store.rollouts()
    ]
