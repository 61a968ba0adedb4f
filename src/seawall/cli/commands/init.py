"""``seawall init``: makes a state directory."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from seawall.cli.asking import (
    ask_new_secret,
    is_interactive,
    new_passphrase,
    passphrase_option,
    read_secret,
)
from seawall.cli.opening import current_actor
from seawall.cli.output import emit_json, print_facts, say
from seawall.cli.state import json_option, state_option
from seawall.model.installation import MqttSettings, Settings, UpdateSettings, WebSettings

if TYPE_CHECKING:
    from seawall.operations.create_installation import CreatedInstallation

_DEFAULTS = Settings()
_LOOPBACK = "127.0.0.1"
_Command = TypeVar("_Command", bound=Callable[..., Any])


def _port_option(flag: str, default: int, words: str) -> Callable[[_Command], _Command]:
    words += "; 0: any free one."
    kind = click.IntRange(0, 65_535)
    return click.option(flag, default=default, show_default=True, type=kind, help=words)


@click.command(
    epilog="""\b
Examples:
  seawall init
  seawall init --name iot.example.org --name 192.0.2.7
  seawall init --broker mosquitto --password-file admin.txt --encrypt-ca
Where standard input is no terminal nothing is asked: without --password-file a
password is generated and shown once.
"""
)
@state_option
@click.option(
    "--broker",
    type=click.Choice(["builtin", "mosquitto"]),
    default=_DEFAULTS.mqtt.broker,
    show_default=True,
    help="What devices connect to.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="DNS name or IP address in the server certificates; may be repeated. "
    "localhost and 127.0.0.1 are always among them.",
)
@click.option(
    "--public-host",
    metavar="HOST",
    help="Name or address that devices and people connect to; by default the first --name.",
)
@click.option(
    "--mqtt-host",
    show_default="every address, once a --name is of the network; else this machine's own alone",
    metavar="ADDRESS",
    help="Address to listen on for devices.",
)
@_port_option("--mqtt-port", _DEFAULTS.mqtt.port, "Port for devices")
@click.option(
    "--web-host",
    default=_DEFAULTS.web.host,
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on for people.",
)
@_port_option("--web-port", _DEFAULTS.web.port, "Port for people")
@_port_option("--updates-port", _DEFAULTS.updates.port, "Port where devices fetch releases")
@click.option(
    "--admin", default="admin", show_default=True, metavar="NAME", help="Name of the first user."
)
@click.option(
    "--password-file",
    type=click.Path(path_type=Path),
    help="File with that user's password ('-': standard input).",
)
@click.option(
    "--encrypt-ca",
    is_flag=True,
    help="Encrypt the authority's keys; adding and revoking devices then needs the passphrase.",
)
@passphrase_option
@json_option
def command(
    *,
    state: Path,
    admin: str,
    password_file: Path | None,
    encrypt_ca: bool,
    passphrase_file: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Make a state directory: authority, certificates, secrets, admin user."""
    from seawall.daemon.assemble import create_store  # noqa: PLC0415
    from seawall.daemon.settings import write_settings  # noqa: PLC0415
    from seawall.operations.create_installation import (  # noqa: PLC0415
        NewInstallation,
        check_free,
        create_installation,
    )

    # Before anybody is asked for a password.
    check_free(state)
    new = NewInstallation(
        settings=_settings(**options),
        admin=admin,
        password=_password(admin, password_file),
        passphrase=new_passphrase(encrypt_ca, passphrase_file),
    )
    created = create_installation(
        state,
        new,
        create_store=create_store,
        write_settings=write_settings,
        now_ms=lambda: time.time_ns() // 1_000_000,
        actor=current_actor(),
    )
    _report(created, new.settings, admin, as_json)


def _settings(
    *,
    broker: Any,
    names: tuple[str, ...],
    public_host: str | None,
    mqtt_host: str | None,
    mqtt_port: int,
    web_host: str,
    web_port: int,
    updates_port: int,
) -> Settings:
    public = public_host or (names[0] if names else "localhost")
    # Nobody from elsewhere can verify a server that is named localhost alone.
    listen = mqtt_host or (_LOOPBACK if public in _DEFAULTS.names else _DEFAULTS.mqtt.host)
    all_names = tuple(dict.fromkeys((public, *names, *_DEFAULTS.names)))
    return replace(
        _DEFAULTS,
        mqtt=MqttSettings(broker=broker, host=listen, port=mqtt_port, public_host=public),
        web=WebSettings(host=web_host, port=web_port, public_host=public),
        # Where devices reach the broker, they reach the releases.
        updates=UpdateSettings(host=listen, port=updates_port, public_host=public),
        names=all_names,
    )


def _password(admin: str, file: Path | None) -> str | None:
    if file is not None:
        return read_secret(file, "the password")
    if is_interactive():
        return ask_new_secret(f"Password for {admin} (empty: generate one)") or None
    return None


def _report(created: CreatedInstallation, settings: Settings, admin: str, as_json: bool) -> None:
    from seawall.pki.pins import certificate_sha256, fingerprint_text  # noqa: PLC0415

    root_der = created.keystore.root_der()
    pins = created.keystore.server_pins()
    if as_json:
        emit_json(
            {
                "state": str(created.root),
                "broker": settings.mqtt.broker,
                "names": list(settings.names),
                "admin": admin,
                "generated_password": created.generated_password,
                "root_sha256": certificate_sha256(root_der),
                "server_pins": list(pins),
                "ca_encrypted": created.keystore.needs_passphrase,
            }
        )
        return
    facts = {
        "state": created.root,
        "names": ", ".join(settings.names),
        "root": fingerprint_text(root_der),
        "server pin": pins[0],
        "next pin": pins[1],
        "admin": admin,
    }
    if created.generated_password is not None:
        facts["password"] = created.generated_password
    print_facts(facts)
    if created.generated_password is not None:
        say("The password is shown this once.")
    say("Next: 'seawall device add NAME', then 'seawall up'.")
