"""The slot that a bundle is born with. Pure.

On a device there are two slots, ``a`` and ``b``: what runs is in one of them,
updates are built in the other. The guard that chooses between them, and all
that is the device's own, stand beside them.
"""

from __future__ import annotations

import hashlib
import json
from binascii import crc32
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from seawall.model.device import Board

FIRST_SLOT: Final = "a"
SLOTS: Final = ("a", "b")
GUARD: Final = "seawall_guard"
MAIN: Final = "main.py"
MAIN_ALONE: Final = "main_alone.py"
"""What main.py is on a device without updates."""
_OF_UPDATES: Final = frozenset(
    {"software", "update", "build", "image", "tuf", "canonical", "ecdsa", "rsa_pss"}
)
"""Modules of the agent that a device without updates has no use for."""
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


def released_slot(version: str, manifest: bytes, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the first slot of a bundle that is born with a release, and the guard's record of it.

    The record is that of ``agent/seawall_guard/slots.py``: number 1, slot ``a`` live, no
    trial, and the version as the floor below which the device never goes.

    Args:
        version: Of the release.
        manifest: As it was signed.
        files: Of the release, by path.
    """
    named = {f"{FIRST_SLOT}/{path}": data for path, data in files.items()}
    text = f"1 {FIRST_SLOT} - 0 0 0 - {version} -".encode().ljust(112)
    record = text + b"%08x" % crc32(text)
    return {**named, f"{FIRST_SLOT}/manifest.json": manifest, "state/slot1": record}


def is_outside(name: str) -> bool:
    """Return whether a file of the agent stays out of the slots, and is never updated."""
    return name in {MAIN, MAIN_ALONE} or name.startswith(f"{GUARD}/")


def inside_files(agent: Mapping[str, bytes], *, has_updates: bool) -> dict[str, bytes]:
    """Return what goes into a slot.

    Args:
        agent: The agent's files.
        has_updates: Else what carries them out is left out.
    """
    return {
        name: data
        for name, data in agent.items()
        if not is_outside(name) and (has_updates or PurePosixPath(name).stem not in _OF_UPDATES)
    }


def outside_files(agent: Mapping[str, bytes], *, has_updates: bool) -> dict[str, bytes]:
    """Return what stands beside the slots.

    Args:
        agent: The agent's files.
        has_updates: Else there is one slot for ever, and nothing for a guard to choose: what it
            takes of a small heap is left to the agent.
    """
    if has_updates:
        return {
            name: data for name, data in agent.items() if is_outside(name) and name != MAIN_ALONE
        }
    return {MAIN: agent[MAIN_ALONE]} if MAIN_ALONE in agent else {}
