"""Finds a roll-out, and writes a person's order about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seawall.errors import ConflictError, NotFoundError
from seawall.model.rollout import Rollout, RolloutChange, Way
from seawall.operations.installation import Installation

Order = Callable[[Rollout, Sequence[Way]], tuple[Rollout, Sequence[Way]]]


def find_rollout(installation: Installation, rollout_id: str | None = None) -> Rollout:
    """Return a roll-out; the newest if none is named.

    Raises:
        NotFoundError: there is none.
        StoreError: the store failed.
    """
    found = None if rollout_id is None else installation.store.rollout(rollout_id)
    if found is not None:
        return found
    known = installation.store.rollouts()
    if rollout_id is None and known:
        return known[-1]
    names = ", ".join(rollout.rollout_id for rollout in known[-5:])
    raise NotFoundError(
        f"there is no roll-out {rollout_id}" if rollout_id else "there is no roll-out",
        reference="no-such-rollout",
        hint=f"the newest are {names}" if known else "'seawall rollout start RELEASE' starts one",
    )


def order_rollout(
    installation: Installation, rollout_id: str | None, kind: str, order: Order
) -> Rollout:
    """Change a roll-out as a person orders, and log that; the daemon does what follows.

    Args:
        installation: Whose.
        rollout_id: Which; None for the newest.
        kind: Of the event.
        order: Returns the roll-out and those ways that change with it.

    Raises:
        NotFoundError: there is none.
        ConflictError: its state forbids the order.
        StoreError: the store failed; nothing has changed.
    """
    rollout_id = find_rollout(installation, rollout_id).rollout_id
    while True:
        rollout = find_rollout(installation, rollout_id)
        after, ways = order(rollout, installation.store.ways(rollout_id))
        event = installation.event(kind, rollout_id)
        try:
            installation.store.change_rollout(RolloutChange(after, ways, events=[event]))
        except ConflictError as error:
            if error.reference != "rollout-changed":
                raise
            continue  # the daemon, or a device's report, came in between
        return find_rollout(installation, rollout_id)
