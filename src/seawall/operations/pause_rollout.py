"""Pauses a roll-out."""

from __future__ import annotations

from seawall.model.rollout import Rollout
from seawall.operations.find_rollout import order_rollout
from seawall.operations.installation import Installation
from seawall.updates.rollout_start import paused


def pause_rollout(installation: Installation, rollout_id: str | None = None) -> Rollout:
    """Offer nothing further; what is under way goes on, and is heard.

    Raises:
        NotFoundError: there is no such roll-out.
        ConflictError: it does not run (``rollout-state``).
        StoreError: the store failed; nothing has changed.
    """
    return order_rollout(
        installation,
        rollout_id,
        "rollout-paused",
        lambda rollout, _: (paused(rollout), ()),
    )
