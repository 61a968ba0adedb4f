"""Scripts of device/, which take the agent's modules in pieces."""

from __future__ import annotations

from pathlib import Path

from seawall.devices.lean_names import shorten

SCRIPTS = Path(__file__).parent / "device"


def put_script(name: str, folder: Path) -> Path:
    """Put a script into a folder, calling the agent by the names that it has as bytecode."""
    path = folder / name
    path.write_bytes(shorten((SCRIPTS / name).read_bytes()))
    return path
