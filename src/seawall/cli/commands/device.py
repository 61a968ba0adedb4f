"""``seawall device``: adds, lists, shows, bundles, commands, disables and revokes devices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seawall.cli.asking import find_passphrase, passphrase_option
from seawall.cli.device_bundle import bundle
from seawall.cli.device_command import commands, identify, interval, restart
from seawall.cli.device_facts import (
    add_facts,
    device_json,
    list_row,
    overview_json,
    show_facts,
    when,
)
from seawall.cli.device_revoke import revoke
from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_facts, print_table, say
from seawall.cli.state import json_option, state_option
from seawall.model.device import Board, DeviceStatus, Profile, Trust


@click.group(
    name="device",
    epilog="""\b
Examples:
  seawall device add greenhouse-1 --sensor tmp36:0
  seawall device bundle greenhouse-1 --out bundle
  seawall device list
""",
)
def command() -> None:
    """Add, list, show, bundle, command, disable and revoke devices."""


@command.command(
    epilog="""\b
Examples:
  seawall device add greenhouse-1
  seawall device add cellar --board esp32 --sensor tmp36:34 --sensor dht22:4
  seawall device add attic --board rp2 --sensor tmp36:26 --trust pin --interval 60
"""
)
@click.argument("name")
@click.option(
    "--board",
    type=click.Choice([board.value for board in Board]),
    default=Board.UNIX.value,
    show_default=True,
    help="What it runs on.",
)
@click.option(
    "--sensor",
    "sensors",
    multiple=True,
    metavar="KIND:PIN",
    help="tmp36, tmp36-tutorial, dht11 or dht22, and its pin; may be repeated. Default: tmp36:0.",
)
@click.option(
    "--profile",
    type=click.Choice([profile.value for profile in Profile]),
    default=Profile.SEAWALL_1.value,
    show_default=True,
    help="How it signs its payloads.",
)
@click.option(
    "--trust",
    type=click.Choice([trust.value for trust in Trust]),
    default=Trust.CA_AND_PIN.value,
    show_default=True,
    help="How it makes sure of the server.",
)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.1, 86_400),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How often it measures.",
)
@click.option(
    "--group", default="", metavar="GROUP", help="What it is counted among, for roll-outs."
)
@click.option(
    "--accept-unauthenticated-server",
    is_flag=True,
    help="For a board that cannot tell the server from an impostor (esp8266).",
)
@passphrase_option
@state_option
@json_option
def add(
    *,
    name: str,
    sensors: tuple[str, ...],
    interval_s: float,
    passphrase_file: Path | None,
    state: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Add a device: certificate, key, entry in the registry."""
    from seawall.daemon.lock import wait_taken_in  # noqa: PLC0415
    from seawall.devices.lifecycle import (  # noqa: PLC0415
        DEFAULT_SENSORS,
        NewDevice,
        check_new_device,
    )
    from seawall.devices.sensors import parse_sensor  # noqa: PLC0415
    from seawall.operations.add_device import add_device  # noqa: PLC0415

    new = NewDevice(
        device_id=name,
        board=Board(options["board"]),
        sensors=tuple(parse_sensor(text) for text in sensors) or DEFAULT_SENSORS,
        profile=Profile(options["profile"]),
        trust=Trust(options["trust"]),
        interval_ms=round(interval_s * 1000),
        accept_unauthenticated_server=options["accept_unauthenticated_server"],
        group=options["group"],
    )
    check_new_device(new)
    with opened(state) as installation:
        passphrase = find_passphrase(installation.keystore, passphrase_file)
        device = add_device(installation, new, passphrase=passphrase)
        # A device that is started at once must not meet a daemon that does not know it yet.
        wait_taken_in(installation.paths, installation.store.registry_revision())
    if as_json:
        emit_json(device_json(device))
        return
    print_facts(add_facts(device))
    if not device.board.verifies_server:
        say("warning: this device cannot tell the server from an impostor")
        return
    say(f"Next: 'seawall device bundle {name} --out {name}'.")


@command.command(
    name="list",
    epilog="""\b
Examples:
  seawall device list
  seawall device list --status revoked --json
""",
)
@click.option(
    "--status",
    type=click.Choice([status.value for status in DeviceStatus]),
    help="Only devices of this status.",
)
@click.option("--group", metavar="GROUP", help="Only devices of this group.")
@state_option
@json_option
def list_(status: str | None, group: str | None, state: Path, as_json: bool) -> None:
    """List the devices."""
    from seawall.operations.list_devices import list_devices  # noqa: PLC0415

    with opened(state) as installation:
        overview = list_devices(installation, DeviceStatus(status) if status else None, group)
    if as_json:
        emit_json([overview_json(*entry) for entry in overview])
        return
    print_table(
        (
            "device",
            "board",
            "status",
            "runs",
            "server trust",
            "readings",
            "last received",
            "refused",
        ),
        [list_row(*entry) for entry in overview],
        empty="no devices; 'seawall device add NAME' adds one",
    )


@command.command(epilog="\b\nExample:\n  seawall device show greenhouse-1 --json\n")
@click.argument("name")
@state_option
@json_option
def show(name: str, state: Path, as_json: bool) -> None:
    """Show one device: certificate, what it runs, sensors, readings, what happened lately."""
    from seawall.operations.show_device import show_device  # noqa: PLC0415

    with opened(state) as installation:
        details = show_device(installation, name)
    if as_json:
        events = [
            {"at_ms": e.at_ms, "kind": e.kind, "actor": e.actor, "detail": e.detail}
            for e in details.events
        ]
        facts = overview_json(details.device, details.activity, details.software)
        emit_json({**facts, "events": events})
        return
    print_facts(show_facts(details.device, details.activity, details.software))
    for event in details.events:
        click.echo(f"  {when(event.at_ms)}  {event.kind}  by {event.actor}")


@command.command(epilog="\b\nExample:\n  seawall device disable cellar\n")
@click.argument("name")
@state_option
@json_option
def disable(name: str, state: Path, as_json: bool) -> None:
    """Shut a device out until it is enabled again; needs no key."""
    from seawall.operations.disable_device import disable_device  # noqa: PLC0415

    with opened(state) as installation:
        device = disable_device(installation, name)
    if as_json:
        emit_json(device_json(device))
    else:
        print_facts({"device": name, "status": device.status.value})


@command.command(epilog="\b\nExample:\n  seawall device enable cellar\n")
@click.argument("name")
@state_option
@json_option
def enable(name: str, state: Path, as_json: bool) -> None:
    """Let a disabled device in again."""
    from seawall.operations.enable_device import enable_device  # noqa: PLC0415

    with opened(state) as installation:
        device = enable_device(installation, name)
    if as_json:
        emit_json(device_json(device))
    else:
        print_facts({"device": name, "status": device.status.value})


@command.command(
    epilog="\b\nExamples:\n  seawall device group cellar north\n"
    "  seawall device group cellar --none\n"
)
@click.argument("name")
@click.argument("group", required=False)
@click.option("--none", "no_group", is_flag=True, help="Take it out of its group.")
@state_option
@json_option
def group(name: str, group: str | None, no_group: bool, state: Path, as_json: bool) -> None:
    """Put a device into a group, for roll-outs; it is in one at most."""
    from seawall.operations.group_device import group_device  # noqa: PLC0415

    if no_group == bool(group):
        raise click.UsageError("name a group, or give --none")
    with opened(state) as installation:
        device = group_device(installation, name, group or "")
    if as_json:
        emit_json(device_json(device))
    else:
        print_facts({"device": name, "group": device.group or "-"})


for _more in (bundle, identify, restart, interval, commands, revoke):
    command.add_command(_more)
