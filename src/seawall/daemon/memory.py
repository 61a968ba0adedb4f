"""Python's garbage collector, set for a process that makes messages by the million."""

from __future__ import annotations

import gc
from typing import Final

THRESHOLDS: Final = (100_000, 50, 100)
"""Python's own are (700, 10, 10). A batch in flight is thousands of tuples that all die
by their reference counts, and looking through them again and again for circles costs a
tenth of ingest (measured by ``bench/ingest.py``)."""


def calm_collector() -> None:
    """Collect now, leave what lives out of later collections, and collect more rarely.

    Call it once, when everything is started.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
