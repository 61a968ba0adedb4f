"""Releases and roll-outs as the web side reaches them: each verb is one operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from seawall.model.release import Release
from seawall.model.rollout import Rollout
from seawall.operations.abort_rollout import abort_rollout
from seawall.operations.installation import Installation
from seawall.operations.list_releases import list_releases
from seawall.operations.list_rollouts import RolloutOverview, list_rollouts
from seawall.operations.pause_rollout import pause_rollout
from seawall.operations.resume_rollout import resume_rollout
from seawall.operations.show_rollout import RolloutDetails, show_rollout
from seawall.operations.start_rollout import NewRollout, StartedRollout, start_rollout


class WebRollouts:
    """Implements `web.rollouts.Rollouts`.

    Args:
        installation: Whose.
    """

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def releases(self) -> Sequence[Release]:
        """Return the published releases, by board, the newest last."""
        return list_releases(self._installation)

    def list(self) -> Sequence[RolloutOverview]:
        """Return the roll-outs that are kept, in the order in which they were started."""
        return list_rollouts(self._installation)

    def show(self, rollout_id: str) -> RolloutDetails:
        """Return one roll-out and the way of each device."""
        return show_rollout(self._installation, rollout_id)

    def start(self, user_name: str, new: NewRollout) -> StartedRollout:
        """Start a roll-out."""
        return start_rollout(self._by(user_name), new)

    def pause(self, user_name: str, rollout_id: str) -> Rollout:
        """Offer nothing further."""
        return pause_rollout(self._by(user_name), rollout_id)

    def resume(self, user_name: str, rollout_id: str) -> Rollout:
        """Let it go on."""
        return resume_rollout(self._by(user_name), rollout_id)

    def abort(self, user_name: str, rollout_id: str) -> Rollout:
        """End it."""
        return abort_rollout(self._by(user_name), rollout_id)

    def _by(self, user_name: str) -> Installation:
        return replace(self._installation, actor=f"web:{user_name}")
