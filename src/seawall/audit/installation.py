"""Which targets an installation has: its state directory, and what it listens on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seawall.audit.target import Access, FleetPolicy, Target, TargetKind
from seawall.model.installation import Settings, StatePaths


def targets_of(
    root: Path, settings: Settings | None, running: Mapping[str, Any] | None, fleet: FleetPolicy
) -> tuple[Target, ...]:
    """Return the state directory, and the listeners of its daemon if one runs.

    Args:
        root: The state directory.
        settings: Of it; None if they cannot be read: then the state directory alone is looked
            at, and says why.
        running: What ``run/daemon.json`` says of the daemon; None if none runs.
        fleet: What is demanded of devices.
    """
    state = Target(TargetKind.STATE, str(root), path=root, policy=fleet)
    if settings is None or running is None:
        return (state, *_mosquitto(root, settings))
    access = Access(ca=Path(StatePaths(root).pki) / "root.crt.pem")
    live = [
        _broker(settings, running, access),
        _web(settings, running, access),
        _updates(settings, running, access),
    ]
    return (state, *(each for each in live if each is not None), *_mosquitto(root, settings))


def _mosquitto(root: Path, settings: Settings | None) -> tuple[Target, ...]:
    """Return the configuration that was made for Mosquitto, once there is one."""
    path = Path(StatePaths(root).broker) / "mosquitto.conf"
    if settings is None or settings.mqtt.broker != "mosquitto" or not path.is_file():
        return ()
    return (Target(TargetKind.MOSQUITTO, str(path), path=path),)


def _broker(settings: Settings, running: Mapping[str, Any], access: Access) -> Target | None:
    port = running.get("mqtt_port")
    if not isinstance(port, int) or not port:
        return None
    host = settings.mqtt.public_host
    return Target(
        TargetKind.MQTT,
        f"mqtts://{_in_url(host)}:{port}",
        host=near(settings.mqtt.host),
        port=port,
        uses_tls=True,
        access=_as(access, host),
    )


def _web(settings: Settings, running: Mapping[str, Any], access: Access) -> Target | None:
    port = running.get("web_port")
    if not isinstance(port, int) or not port:
        return None
    host = settings.web.public_host
    return Target(
        TargetKind.API,
        f"https://{_in_url(host)}:{port}",
        host=near(settings.web.host),
        port=port,
        uses_tls=True,
        access=_as(access, host),
    )


def _updates(settings: Settings, running: Mapping[str, Any], access: Access) -> Target | None:
    port = running.get("updates_port")
    if not isinstance(port, int) or not port:
        return None
    host = settings.updates.public_host
    return Target(
        # Not as an interface: who shows no certificate of a device gets no answer at all.
        TargetKind.TLS,
        f"tls://{_in_url(host)}:{port}",
        host=near(settings.updates.host),
        port=port,
        uses_tls=True,
        access=_as(access, host),
    )


def _as(access: Access, name: str) -> Access:
    return Access(ca=access.ca, server_name=name)


def near(host: str) -> str:
    """Return where this machine reaches a listener of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
