"""Update keys and releases for tests and the demonstration: made and published in one call each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seawall.model.device import Board
from seawall.model.release import Release, parse_version
from seawall.operations.build_release import packaged_agent
from seawall.operations.create_update_keys import KeyPlan, create_update_keys
from seawall.operations.installation import Installation
from seawall.operations.sign_release import sign_release
from seawall.operations.update_signing import NewKeys, Signing
from seawall.updates.release_bundle import release_of_files

PASSPHRASE: Final = b"walls of sea water"
SIGNING: Final = Signing(lambda _name: PASSPHRASE)
NEW_KEYS: Final = NewKeys(lambda _name: PASSPHRASE)


def make_update_keys(installation: Installation, plan: KeyPlan | None = None) -> None:
    """Make the update keys of an installation, all under `PASSPHRASE`."""
    create_update_keys(installation, NEW_KEYS, plan)


def publish_files(
    installation: Installation,
    version: str,
    application: Mapping[str, bytes],
    *,
    board: Board = Board.UNIX,
    agent: Mapping[str, bytes] | None = None,
) -> Release:
    """Sign and publish a release of files as they are.

    Args:
        installation: With update keys.
        version: Of the release.
        application: Its files.
        board: What it runs on.
        agent: The agent's modules, ``seawall_agent/...``; None: those of this version.
    """
    if agent is None:
        agent = packaged_agent(board)
    built = release_of_files(board, parse_version(version), agent, application)
    done = sign_release(installation, [built], SIGNING, publish=True)
    return done.releases[0]
