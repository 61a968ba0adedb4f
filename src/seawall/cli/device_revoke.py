"""``seawall device revoke``: revokes a device for good, and proves that it is shut out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from seawall.cli.asking import find_passphrase, is_interactive, passphrase_option
from seawall.cli.device_facts import device_json, proof_json, proof_words
from seawall.cli.exit_codes import ExitCode
from seawall.cli.opening import opened, running_daemon
from seawall.cli.output import emit_json, print_facts, say
from seawall.cli.state import json_option, state_option

if TYPE_CHECKING:
    from seawall.devices.proof import Prover
    from seawall.operations.installation import Installation
    from seawall.operations.revoke_device import Revocation


@click.command(
    name="revoke",
    epilog="""\b
Examples:
  seawall device revoke cellar
  seawall device revoke cellar --yes --json
Exit status 1 if a connection with the revoked certificate was still accepted.
Doing it again completes what was interrupted, and proves anew.
""",
)
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask: a revocation is for good.")
@passphrase_option
@state_option
@json_option
@click.pass_context
def revoke(
    ctx: click.Context,
    *,
    name: str,
    yes: bool,
    passphrase_file: Path | None,
    state: Path,
    as_json: bool,
) -> None:
    """Revoke a device for good, and prove that it is shut out."""
    from seawall.operations.find_device import find_device  # noqa: PLC0415
    from seawall.operations.revoke_device import revoke_device  # noqa: PLC0415

    with opened(state) as installation:
        find_device(installation, name)
        if not yes and is_interactive():
            click.confirm(f"Revoke {name} for good?", abort=True, err=True)
        passphrase = find_passphrase(installation.keystore, passphrase_file)
        prove = _prover(installation)
        revocation = revoke_device(installation, name, prove=prove, passphrase=passphrase)
    _report(revocation, as_json)
    if revocation.proof.outcome == "accepted":
        say("error: the server still accepts the revoked certificate")
        ctx.exit(ExitCode.FAILED)


def _report(revocation: Revocation, as_json: bool) -> None:
    if as_json:
        facts = device_json(revocation.device)
        emit_json(
            {
                **facts,
                "was_revoked": revocation.was_revoked,
                "proof": proof_json(revocation.proof),
            }
        )
    else:
        print_facts(
            {
                "device": revocation.device.device_id,
                "status": revocation.device.status.value,
                "certificate": revocation.device.certificate_serial,
                "proof": proof_words(revocation.proof),
            }
        )


def _prover(installation: Installation) -> Prover | None:
    """Return what tries a connection to the running daemon, None if none runs."""
    from seawall.devices.proof import Prover  # noqa: PLC0415

    running = running_daemon(installation.paths)
    if running is None or not isinstance(running.get("mqtt_port"), int):
        return None
    # Where it listens, not its public name: that may lead through a router that
    # does not lead back.
    host = installation.settings.mqtt.host
    names = installation.keystore.server_names()
    public = installation.settings.mqtt.public_host.lower()
    return Prover(
        keystore=installation.keystore,
        host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host),  # noqa: S104  told, not bound
        port=running["mqtt_port"],
        server_name=public if public in names else min(names),
    )
