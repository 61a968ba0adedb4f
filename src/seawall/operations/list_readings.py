"""Lists stored readings."""

from __future__ import annotations

from collections.abc import Iterator

from seawall.errors import NotFoundError, UsageError
from seawall.model.history import ReadingQuery
from seawall.model.ids import check_device_id, check_metric
from seawall.model.reading import Reading
from seawall.store.contract import Store


def list_readings(store: Store, query: ReadingQuery) -> Iterator[Reading]:
    """Return the readings asked for, by time of measurement.

    They are fetched as they are consumed, so an answer of millions takes no memory.

    Args:
        store: Where to look.
        query: What is asked for, as people typed it.

    Raises:
        InvalidNameError: the device id or the metric cannot be one.
        NotFoundError: the device is neither registered nor has it ever sent anything.
        UsageError: the range of time is empty, or fewer than one reading is asked for.
        StoreError: the store failed.
    """
    if query.metric is not None:
        check_metric(query.metric)
    if query.last is not None and query.last < 1:
        raise UsageError(f"{query.last} readings are asked for", hint="ask for at least 1")
    if None not in (query.since_ms, query.until_ms) and query.since_ms >= query.until_ms:  # type: ignore[operator]
        raise UsageError(
            "the range of time is empty: it begins when or after it ends",
            reference="empty-range",
            hint="--since is the earlier end, --until the later one",
        )
    if query.device_id is not None:
        _check_known(store, check_device_id(query.device_id))
    return store.readings(query)


def _check_known(store: Store, device_id: str) -> None:
    if store.device(device_id) is None and not store.activity([device_id])[0].readings:
        raise NotFoundError(
            f"there is no device {device_id}",
            reference="device-not-found",
            hint="'seawall device list' shows them all",
        )
