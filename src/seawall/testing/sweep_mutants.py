"""Bugs planted into the agent's real sources, each of which the power-cut sweep has to catch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seawall.errors import StateError


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug.

    Attributes:
        name: In kebab-case; what the bug is.
        story: Which story of the sweep has to catch it.
        path: Of the source, below ``agent/``.
        old: Text that is there exactly once.
        new: What takes its place.
        file_systems: On which it is tried; one that catches it is enough.
    """

    name: str
    story: str
    path: str
    old: str
    new: str
    file_systems: tuple[str, ...] = ("lfs", "fat", "fat-raw")

    def plant(self, agent: Path) -> None:
        """Change the copy of the sources in a folder.

        Raises:
            StateError: the text is not there, or not once: the mutant has to follow the code.
        """
        source = agent / self.path
        text = source.read_text(encoding="utf-8") if source.is_file() else ""
        if text.count(self.old) != 1:
            raise StateError(
                f"mutant {self.name}: its text is {text.count(self.old)} times in {self.path}",
                hint="the code has changed: change testing/sweep_mutants.py with it",
            )
        source.write_text(text.replace(self.old, self.new), encoding="utf-8")


MUTANTS: Final = (
    Mutant(
        "facts-in-one-copy",
        "keeping",
        "seawall_agent/state.py",
        'with open("state/%d" % (facts[0] & 1), "wb") as f:',
        'with open("state/0", "wb") as f:',
    ),
    Mutant(
        "facts-without-crc",
        "keeping",
        "seawall_agent/state.py",
        'if len(data) == 32 and struct.pack("<I", crc32(data[:28])) == data[28:]:',
        "if len(data) == 32:",
    ),
)
