"""What ingest has counted since it started."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from seawall.model.reading import Reason


@dataclass(slots=True)
class Counters:
    """Counts since the start; they only grow.

    Attributes:
        received: Messages handed over by the broker.
        verified: Readings whose signature, form and number were right.
        stored: Readings that the store took as new.
        duplicates: Readings that were stored before and sent again; acknowledged.
        refused: Refused messages and connections, by reason; all of them are durable.
        refusals_dropped: Refused connections beyond what is kept waiting; counted only.
        batches: Commits.
        store_failures: Commits that failed and were tried again.
        notes_dropped: Events of devices beyond what each may log.
    """

    received: int = 0
    verified: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    refusals_dropped: int = 0
    batches: int = 0
    store_failures: int = 0
    notes_dropped: int = 0
