"""Reads an inventory of devices."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.inventory import Inventory, InventoryError, parse_inventory
from seawall.audit.probes.reading import read_bounded
from seawall.audit.target import Target

MAX_BYTES: Final = 16 << 20
"""Of an inventory: some 60,000 devices. Larger than other files may be, for it is one file."""


@dataclass(frozen=True, slots=True)
class ReadInventory(Job[Inventory]):
    """Reads and understands the file that the target names."""

    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> Inventory:
        """Return all entries (see `Job.observe`)."""
        if target.path is None:
            raise Unobserved("no file is named")
        return await asyncio.to_thread(_read, target.path, max(limits.max_bytes, MAX_BYTES))


def _read(path: Path, max_bytes: int) -> Inventory:
    try:
        return parse_inventory(read_bounded(path, max_bytes))
    except InventoryError as error:
        raise Unobserved(f"{path.name} is no inventory that can be read: {error}") from None
