"""``seawall ca``: shows the certificate authority."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seawall.cli.opening import opened
from seawall.cli.output import emit_json, print_facts
from seawall.cli.state import json_option, state_option

if TYPE_CHECKING:
    from seawall.operations.show_authority import AuthorityFacts
    from seawall.pki.certificates import CertificateFacts


@click.group(
    name="ca",
    epilog="""\b
Example:
  seawall ca show
""",
)
def command() -> None:
    """Show the certificate authority."""


@command.command(
    epilog="""\b
Examples:
  seawall ca show
  seawall ca show --pem > seawall-root.pem    (for a browser, or mosquitto_sub --cafile)
"""
)
@state_option
@json_option
@click.option("--pem", is_flag=True, help="Print the root certificate, PEM, and nothing else.")
def show(state: Path, as_json: bool, pem: bool) -> None:
    """Show authorities, fingerprints, pins and when they expire."""
    from seawall.operations.show_authority import show_authority  # noqa: PLC0415

    with opened(state) as installation:
        facts = show_authority(installation)
    if pem:
        click.echo(facts.root.pem, nl=False)
    elif as_json:
        emit_json(_json(facts))
    else:
        print_facts(_words(facts))


def _json(facts: AuthorityFacts) -> dict[str, Any]:
    return {
        "root": _certificate_json(facts.root),
        "issuing": _certificate_json(facts.issuing),
        "server": _certificate_json(facts.server),
        "server_names": list(facts.server_names),
        "server_pins": list(facts.server_pins),
        "ca_encrypted": facts.is_encrypted,
        "revoked": facts.revoked,
        "revocation_list_ends": facts.revocation_list_ends.isoformat(),
    }


def _certificate_json(facts: CertificateFacts) -> dict[str, str]:
    return {
        "subject": facts.subject,
        "sha256": facts.fingerprint.replace(":", "").lower(),
        "fingerprint": facts.fingerprint,
        "not_before": facts.not_before.isoformat(),
        "not_after": facts.not_after.isoformat(),
    }


def _words(facts: AuthorityFacts) -> dict[str, object]:
    words: dict[str, object] = {}
    for name, certificate in (
        ("root", facts.root),
        ("issuing", facts.issuing),
        ("server", facts.server),
    ):
        words[name] = certificate.subject
        words[f"  sha256 of {name}"] = certificate.fingerprint
        words[f"  {name} ends"] = f"{certificate.not_after:%Y-%m-%d}"
    words["server names"] = ", ".join(facts.server_names)
    words["pin"], words["next pin"] = facts.server_pins
    words["keys"] = "encrypted" if facts.is_encrypted else "not encrypted"
    words["revoked"] = facts.revoked
    words["revocation list ends"] = f"{facts.revocation_list_ends:%Y-%m-%d}"
    return words
