"""Audits an installation whole: what its targets are, and what the audit is lent for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Unobserved
from seawall.audit.installation import targets_of
from seawall.audit.probes.state import settings_of
from seawall.audit.target import FleetPolicy, Target
from seawall.model.installation import Settings
from seawall.operations.audit_state import state_ports

__all__ = ["installation_targets", "state_ports"]

_MAX_SETTINGS_BYTES: Final = 1 << 20


def installation_targets(
    root: Path, running: Mapping[str, Any] | None, fleet: FleetPolicy
) -> tuple[Target, ...]:
    """Return the targets of an installation; the state directory is the first.

    Args:
        root: The state directory.
        running: What ``run/daemon.json`` says of the daemon; None if none runs.
        fleet: What is demanded of devices.
    """
    settings: Settings | None
    try:
        settings = settings_of(root, _MAX_SETTINGS_BYTES).settings
    except Unobserved:
        settings = None
    return targets_of(root, settings, running, fleet)
