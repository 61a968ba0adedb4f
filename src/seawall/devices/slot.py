"""The slot that a bundle is born with. Pure.

On a device there are two slots, ``a`` and ``b``: what runs is in one of them,
updates are built in the other. The guard that chooses between them, and all
that is the device's own, stand beside them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from seawall.model.device import Board

FIRST_SLOT: Final = "a"
SLOTS: Final = ("a", "b")
GUARD: Final = "seawall_guard"
BIRTH_VERSION: Final = "0"
"""What a bundle's own software is called: every release is newer."""


def first_slot(board: Board, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a bundle's first slot by name within the bundle.

    Args:
        board: What they run on.
        files: Of the slot, by path within it.
    """
    entries = [
        [path, len(data), hashlib.sha256(data).hexdigest()] for path, data in sorted(files.items())
    ]
    manifest = {
        "format": 1,
        "board": board.value,
        "version": BIRTH_VERSION,
        "kind": "files",
        "files": entries,
    }
    named = {f"{FIRST_SLOT}/{path}": data for path, data in files.items()}
    text = json.dumps(manifest, separators=(",", ":"))
    return {**named, f"{FIRST_SLOT}/manifest.json": text.encode()}


def is_outside(name: str) -> bool:
    """Return whether a file of the agent stays out of the slots, and is never updated."""
    return name == "main.py" or name.startswith(f"{GUARD}/")
