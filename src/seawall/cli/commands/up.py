"""``seawall up``: broker, ingest and web in the foreground."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import click

from seawall.cli.output import say
from seawall.cli.state import state_option


@click.command(
    epilog="""\b
Examples:
  seawall up
  seawall up --log-format json 2>>seawall.log
It ends on Ctrl-C or SIGTERM, after everything that was received is stored.
"""
)
@state_option
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Log lines for people, or JSON lines for machines, on standard error.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least important lines to show.",
)
def command(state: Path, log_format: str, log_level: str) -> None:
    """Run broker, ingest and web in the foreground.

    Prints one line with the URL on standard output once everything is ready.
    """
    # Late: `seawall --help` and the short commands need none of the web stack.
    from seawall.daemon.assemble import open_installation  # noqa: PLC0415
    from seawall.daemon.logs import set_up_logging  # noqa: PLC0415
    from seawall.daemon.run import Running, run_daemon  # noqa: PLC0415

    set_up_logging("json" if log_format == "json" else "text", level=log_level)
    installation = open_installation(state, "daemon")

    def report(running: Running) -> None:
        # A service does not end because nobody reads what it prints.
        with contextlib.suppress(OSError):
            click.echo(f"ready: {running.url}")
            broker = f"{running.mqtt_host} port {running.mqtt_port} ({running.broker})"
            say(f"devices connect to {broker}")

    asyncio.run(run_daemon(installation, on_ready=report))
