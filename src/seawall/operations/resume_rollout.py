"""Lets a roll-out go on."""

from __future__ import annotations

from seawall.model.rollout import Rollout
from seawall.operations.find_rollout import order_rollout
from seawall.operations.installation import Installation
from seawall.updates.rollout_start import resumed


def resume_rollout(installation: Installation, rollout_id: str | None = None) -> Rollout:
    """Let a roll-out go on after a pause or a halt.

    After a halt, what has failed so far does not count any more. It stays failed, and is not
    offered again; who was silent is, unless it was trying it.

    Raises:
        NotFoundError: there is no such roll-out.
        ConflictError: it is neither paused nor halted (``rollout-state``).
        StoreError: the store failed; nothing has changed.
    """
    return order_rollout(
        installation,
        rollout_id,
        "rollout-resumed",
        lambda rollout, ways: resumed(rollout, ways, installation.now_ms()),
    )
