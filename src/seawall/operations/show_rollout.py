"""Shows one roll-out: how it stands, and the way of each device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from seawall.model.rollout import DeviceSoftware, Rollout, Way, WayState
from seawall.operations.find_rollout import find_rollout
from seawall.operations.installation import Installation


class RolloutDetails(NamedTuple):
    """A roll-out, the way of each device by cohort and name, and what they run."""

    rollout: Rollout
    ways: Sequence[Way]
    software: dict[str, DeviceSoftware]

    @property
    def counts(self) -> dict[WayState, int]:
        """How many devices have come how far."""
        return dict(Counter(way.state for way in self.ways))


def show_rollout(installation: Installation, rollout_id: str | None = None) -> RolloutDetails:
    """Return what is known of a roll-out; of the newest if none is named.

    Raises:
        NotFoundError: there is none.
        StoreError: the store failed.
    """
    rollout = find_rollout(installation, rollout_id)
    ways = installation.store.ways(rollout.rollout_id)
    software = {entry.device_id: entry for entry in installation.store.software()}
    by_cohort = sorted(ways, key=lambda way: (way.cohort, way.device_id))
    return RolloutDetails(rollout, by_cohort, software)
