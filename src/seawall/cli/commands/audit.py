"""``seawall audit``: checks what you have for the ten weaknesses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seawall.cli.audit_flags import (
    access_options,
    output_options,
    policy_options,
    scope_options,
)
from seawall.cli.state import state_option


@click.command(
    name="audit",
    epilog="""\b
Examples:
  seawall audit                                       this installation, whole
  seawall audit mqtts://broker.example --ca ca.pem --username audit --password-file pw
  seawall audit https://api.example --token-file token --openapi openapi.json
  seawall audit tls://broker.example:8883 --pin 3f9a...e1 --name broker.example
  seawall audit host://192.0.2.7 --expect-ports 22,8883
  seawall audit /etc/mosquitto/mosquitto.conf --fix
  seawall audit firmware/ sdkconfig efuse.txt devices.csv --html report.html
  seawall audit --config audit.toml --json --diff yesterday.json --fail-on high
  seawall audit --list-checks

\b
Exit status: 0 clean, 1 failures of --fail-on or worse, 2 wrong use,
3 unknowns under --strict, 4 a check failed by a fault of its own.
""",
)
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
@access_options
@scope_options
@policy_options
@output_options
@state_option
def command(targets: tuple[str, ...], state: Path, **given: Any) -> None:
    """Check targets for the ten weaknesses, each finding with evidence and a fix.

    A TARGET is mqtt://HOST[:PORT], mqtts://, http://, https://, tls://HOST:PORT or
    host://ADDRESS, or a path, recognised by its content: mosquitto.conf, a folder
    with firmware or a device bundle, an sdkconfig, what 'espefuse summary' printed,
    an inventory of devices (JSON or CSV), or a Seawall state directory. Without any:
    this installation, with its live ports if it runs.

    What was not given, or does not answer, is unknown and never a pass. An MQTT or
    TLS target takes at most 3 s and 40 connections, any other 10 s.
    """
    # Late: the audit knows TLS, HTML and every check.
    from seawall.cli.audit_run import run  # noqa: PLC0415

    raise click.exceptions.Exit(run(targets, state, given))
