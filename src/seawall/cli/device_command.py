"""``seawall device identify|restart|interval|commands``: orders to devices, and their answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from seawall.cli.exit_codes import ExitCode
from seawall.cli.moments import parse_span, shown_utc
from seawall.cli.opening import opened, running_daemon
from seawall.cli.output import emit_json, print_facts, print_table, say
from seawall.cli.state import json_option, state_option
from seawall.model.command import COMMAND_LIFETIME_MS, CommandState, QueuedCommand

if TYPE_CHECKING:
    from seawall.operations.installation import Installation
    from seawall.operations.send_command import Order

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_WAIT_S: Final = 10.0
QUEUED_WAIT_S: Final = 2.0
"""Unless told how long, nobody waits longer for a device that is not connected."""
_POLL_S: Final = 0.02
_LIFETIME: Final = f"{COMMAND_LIFETIME_MS // 3_600_000} hours"
_EPILOG: Final = """\b
Examples:
{examples}
Exit status 0 if the device obeyed, or the command is queued; 1 if the device
refused, or --wait was given and no answer came. A command without an answer is
given up after {lifetime}.
"""


def _epilog(*examples: str) -> str:
    return _EPILOG.format(
        examples="\n".join(f"  seawall device {each}" for each in examples), lifetime=_LIFETIME
    )


def wait_option(command: Command) -> Command:
    """Add ``--wait S``; the command receives ``wait_s: float | None``."""
    return click.option(
        "--wait",
        "wait_s",
        type=click.FloatRange(0, 86_400),
        metavar="SECONDS",
        help=f"Wait so long for the answer. Default: {DEFAULT_WAIT_S:g} if 'seawall up' runs, "
        f"but {QUEUED_WAIT_S:g} for a device that is not connected.",
    )(command)


@click.command(epilog=_epilog("identify greenhouse-1", "identify greenhouse-1 --wait 60 --json"))
@click.argument("name")
@wait_option
@state_option
@json_option
def identify(**given: Any) -> None:
    """Have a device show itself: it blinks, or logs a line."""
    from seawall.operations.send_command import Order  # noqa: PLC0415

    _send(Order("identify"), **given)


@click.command(epilog=_epilog("restart cellar"))
@click.argument("name")
@wait_option
@state_option
@json_option
def restart(**given: Any) -> None:
    """Have a device start again. It answers before it does."""
    from seawall.operations.send_command import Order  # noqa: PLC0415

    _send(Order("restart"), **given)


@click.command(
    epilog=_epilog("interval greenhouse-1 5s", "interval greenhouse-1 500ms", "interval cellar 1m")
)
@click.argument("name")
@click.argument("span")
@wait_option
@state_option
@json_option
def interval(*, span: str, **given: Any) -> None:
    """Set how often a device measures: SPAN is such as 500ms, 5s or 1m."""
    from seawall.operations.send_command import Order  # noqa: PLC0415

    _send(Order("interval", parse_span(span)), **given)


@click.command(
    epilog="""\b
Examples:
  seawall device commands greenhouse-1
  seawall device commands greenhouse-1 --last 1 --json
States: queued (waits for the device to connect), sent, answered, expired (no
answer came in time), superseded (the device answered a later one).
"""
)
@click.argument("name")
@click.option(
    "--last",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="N",
    help="The newest so many.",
)
@state_option
@json_option
def commands(*, name: str, last: int, state: Path, as_json: bool) -> None:
    """List the commands to a device, and what became of them."""
    from seawall.operations.list_commands import list_commands  # noqa: PLC0415

    with opened(state) as installation:
        found = list_commands(installation, name, last=last)
    if as_json:
        emit_json([command_json(command) for command in found])
        return
    rows = [
        (
            str(command.n),
            order_words(command),
            command.state.value,
            shown_utc(command.at_ms),
            command.actor,
            answer_words(command),
        )
        for command in found
    ]
    print_table(
        ("number", "command", "state", "ordered", "by", "answer"), rows, empty="no commands"
    )


def command_json(command: QueuedCommand) -> dict[str, Any]:
    """Return a command for machines."""
    return {
        "device": command.device_id,
        "n": command.n,
        "command": command.name,
        "interval_ms": command.interval_ms,
        "state": command.state.value,
        "actor": command.actor,
        "at_ms": command.at_ms,
        "answered_ms": command.answered_ms,
        "answer": None if command.answer is None else json.loads(command.answer),
    }


def order_words(command: QueuedCommand) -> str:
    """Return what was ordered."""
    if command.interval_ms is None:
        return command.name
    return f"{command.name} {command.interval_ms / 1000:g} s"


def answer_words(command: QueuedCommand) -> str:
    """Return what the device said, and how soon; empty if nothing."""
    if command.answer is None or command.answered_ms is None:
        return ""
    took = f"in {max(0, command.answered_ms - command.at_ms) / 1000:.1f} s"
    return f"answered {took}" if has_obeyed(command) else f"refused {took}: {command.answer}"


def has_obeyed(command: QueuedCommand) -> bool:
    """Whether the device answered that it did."""
    return command.answer is not None and json.loads(command.answer).get("ok") is True


def _send(order: Order, *, name: str, wait_s: float | None, state: Path, as_json: bool) -> None:
    from seawall.operations.send_command import send_command  # noqa: PLC0415

    with opened(state) as installation:
        is_running = running_daemon(installation.paths) is not None
        command = send_command(installation, name, order)
        if is_running or wait_s is not None:
            command = _wait(installation, command, wait_s)
    if as_json:
        emit_json({**command_json(command), "daemon": is_running})
    else:
        words = answer_words(command) or command.state.value
        print_facts({"device": name, "command": order_words(command), "state": words})
        if command.answer is None:
            say(_unanswered_words(command, is_running))
    has_failed = not has_obeyed(command) and (
        wait_s is not None or command.state is CommandState.ANSWERED
    )
    if has_failed:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _wait(
    installation: Installation, command: QueuedCommand, wait_s: float | None
) -> QueuedCommand:
    """Return the command as it stands once it is closed, or the time is over."""
    from seawall.operations.list_commands import watch_command  # noqa: PLC0415

    began_s = time.monotonic()
    for seen in watch_command(installation.store, command, lambda: time.sleep(_POLL_S)):
        command = seen
        limit_s = DEFAULT_WAIT_S if wait_s is None else wait_s
        if wait_s is None and seen.state is CommandState.QUEUED:
            limit_s = QUEUED_WAIT_S
        if time.monotonic() - began_s >= limit_s:
            break
    return command


def _unanswered_words(command: QueuedCommand, is_running: bool) -> str:
    if command.state is CommandState.SENT:
        return (
            f"Sent, and not answered yet. It is sent again when {command.device_id} connects "
            f"anew, for {_LIFETIME}; 'seawall device commands {command.device_id}' shows it."
        )
    if command.state is CommandState.QUEUED:
        when = "when the device connects" if is_running else "once 'seawall up' runs"
        why = "" if is_running else "No daemon runs. "
        return f"{why}Queued: it is sent {when}, within {_LIFETIME}."
    return f"The command is {command.state.value}: it was not answered."
