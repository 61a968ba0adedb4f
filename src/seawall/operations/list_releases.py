"""Lists releases, or shows one."""

from __future__ import annotations

from pathlib import Path

from seawall.model.release import Release
from seawall.operations.installation import Installation
from seawall.updates import releases


def list_releases(installation: Installation, board: str | None = None) -> list[Release]:
    """Return the published releases, by board, the newest last; of one board if it is given.

    Raises:
        StateError: the update repository is damaged.
    """
    found = releases.list_releases(Path(installation.paths.updates))
    return [each for each in found if board is None or each.board == board]


def show_release(installation: Installation, name: str) -> Release:
    """Return one published release.

    Args:
        installation: Whose.
        name: ``BOARD/VERSION``, or a version that one board alone has.

    Raises:
        NotFoundError: there is none.
        StateError: the update repository is damaged.
    """
    return releases.find_release(Path(installation.paths.updates), name)
