"""Shows a roll-out while it goes on: a live table on a terminal, else a line a change."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from seawall.cli.output import has_color, print_facts, print_table
from seawall.cli.rollout_facts import (
    COLUMNS,
    counts_words,
    details_json,
    rollout_facts,
    way_row,
)

if TYPE_CHECKING:
    from rich.console import Group

    from seawall.operations.installation import Installation
    from seawall.operations.show_rollout import RolloutDetails

_POLL_S: Final = 0.25
MAX_LIVE_ROWS: Final = 40
"""So many devices stand in a live table, those that need a look first."""
_CALM: Final = ("confirmed", "withdrawn", "waiting")


def show(details: RolloutDetails) -> None:
    """Print a roll-out once."""
    print_facts(rollout_facts(details.rollout, details.ways))
    click.echo()
    rows = [way_row(way, details.software.get(way.device_id)) for way in details.ways]
    print_table(COLUMNS, rows, empty="no devices")


def seen(installation: Installation, rollout_id: str) -> Iterator[RolloutDetails]:
    """Yield a roll-out at each change, until it neither runs nor is paused.

    Raises:
        StoreError: the store failed.
    """
    from seawall.operations.show_rollout import show_rollout  # noqa: PLC0415

    revision = -1
    while True:
        newer = installation.store.rollout_revision()
        if newer != revision:
            revision = newer
            details = show_rollout(installation, rollout_id)
            yield details
            if details.rollout.state.value not in ("running", "paused"):
                return
        time.sleep(_POLL_S)


def watch_lines(changes: Iterator[RolloutDetails], *, as_json: bool) -> RolloutDetails:
    """Print a line for each change; return how it ended."""
    before = ""
    for details in changes:
        rollout = details.rollout
        line = f"{rollout.rollout_id} {rollout.state.value}: {counts_words(details.counts)}"
        if as_json:
            line = json.dumps(details_json(details), ensure_ascii=False)
        if line != before:
            click.echo(line)
        before = line
    return details


def watch_live(changes: Iterator[RolloutDetails]) -> RolloutDetails:
    """Draw a table anew at each change; return how it ended."""
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    console = Console(no_color=not has_color())
    with Live(console=console, auto_refresh=False) as live:
        for details in changes:
            live.update(_drawn(details), refresh=True)
    return details


def _drawn(details: RolloutDetails) -> Group:
    from rich import box  # noqa: PLC0415
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    facts = rollout_facts(details.rollout, details.ways)
    width = max(map(len, facts))
    head = Text("\n".join(f"{name:<{width}}  {value}" for name, value in facts.items()))
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    ways = sorted(details.ways, key=lambda way: (way.state.value in _CALM, way.device_id))
    for way in ways[:MAX_LIVE_ROWS]:
        # As text: a reason is what a device said, and rich would obey its markup.
        table.add_row(*map(Text, way_row(way, details.software.get(way.device_id))))
    left = len(ways) - MAX_LIVE_ROWS
    return Group(head, table, Text(f"and {left} more" if left > 0 else ""))
