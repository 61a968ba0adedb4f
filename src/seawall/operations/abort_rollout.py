"""Ends a roll-out."""

from __future__ import annotations

from seawall.model.rollout import Rollout
from seawall.operations.find_rollout import order_rollout
from seawall.operations.installation import Installation
from seawall.updates.rollout_start import aborted


def abort_rollout(installation: Installation, rollout_id: str | None = None) -> Rollout:
    """End a roll-out: nobody is offered it any more, and what is not tried yet is taken back.

    A device that tries the version already may keep it.

    Raises:
        NotFoundError: there is no such roll-out.
        ConflictError: it is over already (``rollout-state``).
        StoreError: the store failed; nothing has changed.
    """
    return order_rollout(
        installation,
        rollout_id,
        "rollout-aborted",
        lambda rollout, _: (aborted(rollout, installation.actor, installation.now_ms()), ()),
    )
