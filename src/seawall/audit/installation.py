"""Which targets an installation has: its state directory, and what it listens on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

from seawall.audit.target import Access, FleetPolicy, Target, TargetKind
from seawall.model.installation import (
    MqttSettings,
    Settings,
    StatePaths,
    UpdateSettings,
    WebSettings,
)

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
    mosquitto: Path | None,
) -> tuple[Target, ...]:
    """Return the state directory, and the listeners of its daemon if one runs.

    Args:
        root: The state directory.
        settings: Of it; None if they cannot be read: then the state directory alone is looked
            at, and says why.
        running: What ``run/daemon.json`` says of the daemon; None if none runs.
        fleet: What is demanded of devices.
        pins: What its listeners must show.
        mosquitto: The configuration that was made for Mosquitto; None: there is none.
    """
    state = Target(TargetKind.STATE, str(root), path=root, policy=fleet)
    written = (
        () if mosquitto is None else (Target(TargetKind.MOSQUITTO, str(mosquitto), path=mosquitto),)
    )
    if settings is None or running is None:
        return (state, *written)
    live = (_live(root, running, each) for each in _listeners(settings, pins))
    return (state, *chain.from_iterable(live), *written)


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


@dataclass(frozen=True, slots=True)
class _Listener:
    """What one of the daemon's listeners is audited as.

    Attributes:
        kind: Of target.
        scheme: Of the URL that names it.
        port_key: Where ``run/daemon.json`` says its port.
        hosts: Its section of the settings.
        pin: SHA-256 of its certificate.
    """

    kind: TargetKind
    scheme: str
    port_key: str
    hosts: MqttSettings | WebSettings | UpdateSettings
    pin: str | None


def _listeners(settings: Settings, pins: OwnPins) -> tuple[_Listener, ...]:
    return (
        _Listener(TargetKind.MQTT, "mqtts", "mqtt_port", settings.mqtt, pins.server),
        _Listener(TargetKind.API, "https", "web_port", settings.web, pins.web),
        # Not as an interface: who shows no certificate of a device gets no answer at all.
        _Listener(TargetKind.TLS, "tls", "updates_port", settings.updates, pins.server),
    )


def _live(root: Path, running: Mapping[str, Any], listener: _Listener) -> tuple[Target, ...]:
    port = running.get(listener.port_key)
    if not isinstance(port, int) or not port:
        return ()
    name = listener.hosts.public_host
    return (
        Target(
            listener.kind,
            f"{listener.scheme}://{_in_url(name)}:{port}",
            host=near(listener.hosts.host),
            port=port,
            uses_tls=True,
            access=Access(
                ca=Path(StatePaths(root).pki) / "root.crt.pem", pin=listener.pin, server_name=name
            ),
            left_out=ANSWERED_BY_STATE,
        ),
    )


def near(host: str) -> str:
    """Return where this machine reaches a listener of its own."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  a comparison


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
