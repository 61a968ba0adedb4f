"""``seawall demo``: a temporary installation, real devices, and two attacks that fail."""

from __future__ import annotations

from pathlib import Path

import click

from seawall.cli.output import emit_json
from seawall.errors import UsageError

MAX_DEVICES = 500


@click.command(
    epilog="""\b
Examples:
  seawall demo
  seawall demo --devices 20
  seawall demo --broker mosquitto --duration-s 40 --json
  seawall demo --update
Everything is in a temporary folder that is removed at the end.
"""
)
@click.option(
    "--devices", type=int, default=5, show_default=True, help="How many devices, each a process."
)
@click.option(
    "--broker",
    type=click.Choice(["builtin", "mosquitto"]),
    default="builtin",
    show_default=True,
    help="What the devices connect to; mosquitto must be installed.",
)
@click.option(
    "--duration-s", type=float, default=None, help="End after so many seconds; default: on Ctrl-C."
)
@click.option("--web-port", type=int, default=0, help="Port of the page; default: any free one.")
@click.option(
    "--update",
    is_flag=True,
    help="Roll out a good release, then one that cannot connect; end when that halts.",
)
@click.option("--json", "as_json", is_flag=True, help="Print facts as JSON at the end.")
@click.option(
    "--keep",
    type=click.Path(path_type=Path),
    default=None,
    help="Make the installation here and leave it there.",
)
def command(
    devices: int,
    broker: str,
    duration_s: float | None,
    web_port: int,
    update: bool,
    as_json: bool,
    keep: Path | None,
) -> None:
    """Show it all: devices with their own certificates, live readings, attacks refused.

    Every device is a real MicroPython process that plays measured temperatures,
    an hour a second. One more has its messages changed on the way, one more is
    replayed: both are refused while you watch. With --update the fleet is taken
    from version 1 to 2, and a version 3 that cannot connect rolls itself back.
    """
    if not 1 <= devices <= MAX_DEVICES:
        raise UsageError(f"--devices is {devices}", hint=f"1 to {MAX_DEVICES}")
    if duration_s is not None and not 1 <= duration_s <= 86_400:
        raise UsageError(f"--duration-s is {duration_s:g}", hint="1 to 86400 seconds")
    # Late: start-up time of the other commands.
    from seawall.testing.demonstration import Plan, demonstrate  # noqa: PLC0415

    plan = Plan(
        devices=devices,
        broker="mosquitto" if broker == "mosquitto" else "builtin",
        duration_s=duration_s,
        web_port=web_port,
        keep=keep,
        # Facts for a program end after a time; people watch until they have enough.
        is_quiet=as_json,
        update=update,
    )
    facts = demonstrate(plan)
    if as_json:
        emit_json(facts)
