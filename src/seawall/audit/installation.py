"""Which targets an installation has: its state directory, and what it listens on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from seawall.audit.target import Access, FleetPolicy, Target, TargetKind
from seawall.model.installation import Settings, StatePaths

ANSWERED_BY_STATE: Final = frozenset(
    {
        # More passwords are tried on the hashes themselves, offline. Tried here, each night,
        # they would shut the administrator out for a while.
        "api.login.default-password",
        "api.login.no-limit",
        # What the fleet sends stands in the store; an identity for auditing may read nothing.
        "mqtt.privacy.personal-data",
    }
)
"""Checks that are not made on listeners of an own installation."""


@dataclass(frozen=True, slots=True)
class OwnPins:
    """SHA-256 of the certificates that an installation shows, lower-case hex; None: unknown."""

    server: str | None = None
    web: str | None = None


def targets_of(
    root: Path,
    settings: Settings | None,
    running: Mapping[str, Any] | None,
    fleet: FleetPolicy,
    pins: OwnPins,
) -> tuple[Target, ...]:
    """Return the state directory, and the listeners of its daemon if one runs.

    Args:
        root: The state directory.
        settings: Of it; None if they cannot be read: then the state directory alone is looked
            at, and says why.
        running: What ``run/daemon.json`` says of the daemon; None if none runs.
        fleet: What is demanded of devices.
        pins: What its listeners must show.
    """
    state = Target(TargetKind.STATE, str(root), path=root, policy=fleet)
    if settings is None or running is None:
        return (state, *_mosquitto(root, settings))
    access = Access(ca=Path(StatePaths(root).pki) / "root.crt.pem", pin=pins.server)
    live = [
        _broker(settings, running, access),
        _web(settings, running, replace(access, pin=pins.web)),
        _updates(settings, running, access),
    ]
    return (state, *(each for each in live if each is not None), *_mosquitto(root, settings))


def with_identities(targets: Sequence[Target], lent: Access) -> tuple[Target, ...]:
    """Return the targets, the broker of this installation with identities to get in with.

    Args:
        targets: As `targets_of` returned them, perhaps with others.
        lent: Two identities that its authority signed.
    """
    return tuple(
        replace(each, access=_joined(each.access, lent))
        if each.kind is TargetKind.MQTT and each.access.ca == lent.ca and each.access.cert is None
        else each
        for each in targets
    )


def _joined(access: Access, lent: Access) -> Access:
    other = None if lent.other is None else _joined(access, lent.other)
    return replace(access, cert=lent.cert, key=lent.key, other=other)


def _mosquitto(root: Path, settings: Settings | None) -> tuple[Target, ...]:
    """Return the configuration that was made for Mosquitto, once there is one."""
    path = Path(StatePaths(root).broker) / "mosquitto" / "mosquitto.conf"
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
        left_out=ANSWERED_BY_STATE,
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
        left_out=ANSWERED_BY_STATE,
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
        left_out=ANSWERED_BY_STATE,
    )


def _as(access: Access, name: str) -> Access:
    return replace(access, server_name=name)


def near(host: str) -> str:
    """Return where this machine reaches a listener of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
