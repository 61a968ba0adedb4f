"""Audits an installation whole: what its targets are, and what the audit is lent for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Unobserved
from seawall.audit.installation import OwnPins, targets_of, with_identities
from seawall.audit.probes.state import settings_of
from seawall.audit.target import FleetPolicy, Target, TargetKind
from seawall.errors import KeyAccessError
from seawall.model.installation import Settings, StatePaths
from seawall.operations.audit_state import state_ports
from seawall.operations.lend_identities import lent_identities
from seawall.pki.certificates import certificate_facts, load_certificate
from seawall.pki.keystore import Keystore

__all__ = ["installation_targets", "lent_targets", "state_ports"]

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
    # Absolute, so that its findings are the same ones from wherever it is audited.
    root = root.expanduser().resolve()
    settings: Settings | None
    try:
        settings = settings_of(root, _MAX_SETTINGS_BYTES).settings
    except Unobserved:
        settings = None
    return targets_of(root, settings, running, fleet, _pins(root), _mosquitto(root, settings))


def _mosquitto(root: Path, settings: Settings | None) -> Path | None:
    """Return the configuration that was made for Mosquitto, once there is one."""
    if settings is None or settings.mqtt.broker != "mosquitto":
        return None
    path = Path(StatePaths(root).broker) / "mosquitto" / "mosquitto.conf"
    return path if path.is_file() else None


def _pins(root: Path) -> OwnPins:
    keystore = Keystore(Path(StatePaths(root).pki))
    return OwnPins(
        _pin(keystore.server_paths().certificate), _pin(keystore.web_paths().certificate)
    )


def _pin(path: Path) -> str | None:
    try:
        facts = certificate_facts(load_certificate(path))
        return facts.fingerprint.replace(":", "").lower()
    except KeyAccessError:
        return None


@contextmanager
def lent_targets(
    root: Path,
    targets: Sequence[Target],
    now_ms: Callable[[], int],
    taken_in: Callable[[Sequence[str]], bool],
) -> Iterator[tuple[Target, ...]]:
    """Lend the audit two identities for the installation's own broker, if it is a target.

    Args:
        root: The state directory.
        targets: As `installation_targets` returned them, perhaps with others.
        now_ms: The clock.
        taken_in: Waits until the daemon lets identities in; whether it does.

    Yields:
        The targets, the broker with the identities; as they were if none can be lent.
    """
    root = root.expanduser().resolve()
    own = Path(StatePaths(root).pki) / "root.crt.pem"
    if not any(each.kind is TargetKind.MQTT and each.access.ca == own for each in targets):
        yield tuple(targets)
        return
    with lent_identities(root, now_ms, taken_in) as lent:
        yield tuple(targets) if lent is None else with_identities(targets, lent)
