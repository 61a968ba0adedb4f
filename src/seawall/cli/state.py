"""The ``--state`` option that most commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def default_state() -> Path:
    """Return the platform's data directory for Seawall."""
    from platformdirs import user_data_path  # noqa: PLC0415  start-up time

    return user_data_path("seawall")


def state_option(command: Command) -> Command:
    """Add ``--state DIR`` (``SEAWALL_STATE``); the command receives ``state: Path``."""
    return click.option(
        "--state",
        type=click.Path(file_okay=True, path_type=Path),
        envvar="SEAWALL_STATE",
        default=default_state,
        show_default="the platform's data directory",
        help="State directory of the installation (environment: SEAWALL_STATE).",
    )(command)


def json_option(command: Command) -> Command:
    """Add ``--json``; the command receives ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print facts as JSON.")(command)
