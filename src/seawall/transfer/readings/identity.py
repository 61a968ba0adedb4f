"""Numbers of imported readings: deterministic, and out of the way of all devices.

A store knows readings by (device, boot, seq). An imported one has boot 0 and
``seq = ts_ms * 2048 + k``: k counts different readings of one device and one
millisecond. Agents begin at boot 1; plain clients without counters have boot 0
and seq = ts_ms, which is far below. docs/adr has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from seawall.errors import ConflictError
from seawall.model.reading import Reading
from seawall.store.series import metrics_of
from seawall.transfer.readings.mapping import NewReading

IMPORT_BOOT: Final = 0
PER_MILLISECOND: Final = 2048
"""2100-01-01 in milliseconds times this is below 2**53, the largest whole number of a body."""

_encode: Final = msgspec.json.Encoder().encode


def is_imported(reading: Reading) -> bool:
    """Tell whether a stored reading came by an import."""
    return reading.boot == IMPORT_BOOT and reading.seq // PER_MILLISECOND == reading.ts_ms


def says_all(known: Mapping[str, float], metrics: Mapping[str, float]) -> bool:
    """Tell whether what is stored says all that a new reading would say."""
    return all(name in known and known[name] == value for name, value in metrics.items())


def numbered(
    new: Iterable[NewReading], stored: Iterable[Reading], received_ms: int
) -> list[Reading]:
    """Return those new readings that the stored ones do not hold yet, with their numbers.

    Args:
        new: Of one device, in order of the file.
        stored: All stored readings of that device at those times.
        received_ms: The clock, UTC milliseconds.

    Raises:
        ConflictError: One device has more than 2048 different readings of one millisecond.
    """
    known: dict[int, list[Mapping[str, float]]] = {}
    used: dict[int, int] = {}
    for each in stored:
        known.setdefault(each.ts_ms, []).append(metrics_of(each.body))
        if is_imported(each):
            used[each.ts_ms] = max(used.get(each.ts_ms, 0), each.seq % PER_MILLISECOND + 1)
    found = []
    for device_id, ts_ms, metrics in new:
        of_time = known.setdefault(ts_ms, [])
        if any(says_all(each, metrics) for each in of_time):
            continue
        of_time.append(metrics)
        order = used.get(ts_ms, 0)
        if order == PER_MILLISECOND:
            raise ConflictError(
                f"device {device_id} has over {PER_MILLISECOND} different readings of one moment",
                reference="too-many-at-once",
                hint="does --time-field name the column with the time?",
            )
        used[ts_ms] = order + 1
        seq = ts_ms * PER_MILLISECOND + order
        body = _encode({**metrics, "boot": IMPORT_BOOT, "seq": seq, "ts": ts_ms})
        found.append(Reading(device_id, ts_ms, IMPORT_BOOT, seq, received_ms, body))
    return found
