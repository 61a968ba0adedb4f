"""``seawall device bundle``: writes the folder that goes onto a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seawall.cli.asking import is_interactive, read_secret
from seawall.cli.opening import opened, running_daemon
from seawall.cli.output import emit_json, print_facts, say
from seawall.cli.state import json_option, state_option
from seawall.errors import UsageError
from seawall.model.device import Board

if TYPE_CHECKING:
    from seawall.devices.bundle import Wifi
    from seawall.operations.bundle_device import BundleOptions, WrittenBundle
    from seawall.operations.installation import Installation


@click.command(
    name="bundle",
    epilog="""\b
Examples:
  seawall device bundle greenhouse-1 --out greenhouse-1
  seawall device bundle cellar --out cellar --wifi-ssid Home
  seawall device bundle cellar --out cellar --force --host 192.0.2.7
  seawall device bundle cellar --out cellar --release esp32/1.2.0
The folder holds the device's secrets; its README.txt says how to put it onto a board.
""",
)
@click.argument("name")
@click.option(
    "--out",
    "directory",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder to write.",
)
@click.option("--host", metavar="HOST", help="Broker's name or address, as the device sees it.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    help="Broker's port; by default that of the settings or of the running daemon.",
)
@click.option("--wifi-ssid", metavar="NAME", help="Wi-Fi network that the board joins.")
@click.option(
    "--wifi-password-file",
    type=click.Path(path_type=Path),
    help="File with its password ('-': standard input); else it is asked for.",
)
@click.option(
    "--release",
    metavar="RELEASE",
    help="Published release that it is born with; by default the agent alone, as version 0.",
)
@click.option("--source", is_flag=True, help="Keep the agent's .py files instead of bytecode.")
@click.option(
    "--force",
    is_flag=True,
    help="Replace a bundle of this device; its state/ and other files beside it are kept.",
)
@state_option
@json_option
def bundle(
    *,
    name: str,
    directory: Path,
    state: Path,
    as_json: bool,
    host: str | None,
    port: int | None,
    release: str | None,
    source: bool,
    force: bool,
    **wifi: Any,
) -> None:
    """Write the folder that goes onto a board."""
    from seawall.operations.bundle_device import BundleOptions, bundle_device  # noqa: PLC0415

    with opened(state) as installation:
        options = BundleOptions(
            port=port or _running_port(installation, "mqtt_port"),
            updates_port=_running_port(installation, "updates_port"),
            host=host,
            wifi=_wifi(**wifi),
            keep_source=source,
            replace=force,
            release=release,
        )
        written = bundle_device(installation, name, directory, options)
    _report(written, options, as_json)


def _report(written: WrittenBundle, options: BundleOptions, as_json: bool) -> None:
    name, directory = written.device.device_id, written.directory
    facts: dict[str, Any] = {
        "device": name,
        "directory": str(directory),
        "host": written.host,
        "port": written.port,
        "pins": list(written.pins),
        "files": written.files,
    }
    if as_json:
        emit_json(facts)
        return
    agent_bytes = sum(size for file, size in written.files.items() if "seawall_agent" in file)
    print_facts(
        {
            "directory": directory,
            "broker": f"{written.host}:{written.port}",
            "files": f"{len(written.files)}, the agent {agent_bytes} bytes",
        }
    )
    if options.wifi is None and written.device.board is not Board.UNIX:
        say("warning: no Wi-Fi network was named (--wifi-ssid); the board cannot join one")
    say(f"The folder holds secrets of {name}; see its README.txt.")


def _wifi(*, wifi_ssid: str | None, wifi_password_file: Path | None) -> Wifi | None:
    from seawall.devices.bundle import Wifi  # noqa: PLC0415

    if wifi_ssid is None:
        if wifi_password_file is not None:
            raise UsageError("a Wi-Fi password without a network", hint="give --wifi-ssid NAME")
        return None
    if wifi_password_file is not None:
        return Wifi(wifi_ssid, read_secret(wifi_password_file, "the Wi-Fi password"))
    if is_interactive():
        password: str = click.prompt(f"Password of {wifi_ssid}", hide_input=True, err=True)
        return Wifi(wifi_ssid, password)
    raise UsageError(
        f"the password of Wi-Fi network {wifi_ssid} is missing, and nobody can be asked",
        hint="give --wifi-password-file FILE",
    )


def _running_port(installation: Installation, name: str) -> int | None:
    running = running_daemon(installation.paths)
    port = running.get(name) if running else None
    return port if isinstance(port, int) else None
