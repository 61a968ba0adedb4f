"""What commands print: facts on standard output, words on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click


def emit_json(facts: Any) -> None:
    """Print facts as one JSON value on standard output."""
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False, default=str))


def say(text: str, *, color: bool | None = None) -> None:
    """Print words for people on standard error.

    Args:
        text: What to print.
        color: Whether styles in it stay; None: on a terminal.
    """
    click.echo(text, err=True, color=color)


def has_color(stream: Any = None) -> bool:
    """Whether to colour: only on a terminal, and never with ``NO_COLOR`` set."""
    stream = sys.stdout if stream is None else stream
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows as a table; on a pipe, as tab-separated lines with a header.

    Args:
        columns: Headings.
        rows: Cells as text.
        empty: What to say, on standard error, when there are no rows.
    """
    if not rows:
        say(empty)
        return
    if not sys.stdout.isatty():
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    # Late: rich takes 60 ms to import, which scripts should not pay for.
    from rich import box  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        # As text: cells may hold what a stranger sent, and rich would obey its markup.
        table.add_row(*map(Text, row))
    Console(no_color=not has_color()).print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values in two columns."""
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")
