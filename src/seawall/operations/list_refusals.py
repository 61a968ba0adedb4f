"""Lists what was refused, and why."""

from __future__ import annotations

from seawall.errors import UsageError
from seawall.model.ids import check_device_id
from seawall.model.reading import Reason, Refusal
from seawall.store.contract import Store


def list_refusals(
    store: Store,
    *,
    device_id: str | None = None,
    reason: Reason | None = None,
    last: int | None = None,
    after: int = 0,
) -> list[tuple[int, Refusal]]:
    """Return refusals, oldest first, each with its number.

    A device that is not registered is no error: strangers are refused, too.

    Args:
        store: Where to look.
        device_id: Only what is attributed to this device.
        reason: Only what was refused for this reason.
        last: Only so many, the newest.
        after: Only those with a greater number.

    Raises:
        InvalidNameError: the device id cannot be one.
        UsageError: fewer than one is asked for.
        StoreError: the store failed.
    """
    if device_id is not None:
        check_device_id(device_id)
    if last is not None and last < 1:
        raise UsageError(f"{last} refusals are asked for", hint="ask for at least 1")
    return store.refusals(device_id=device_id, reason=reason, last=last, after=after)
