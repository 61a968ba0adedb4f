"""``seawall rollout``: offers a release to the fleet, cohort by cohort."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from seawall.cli.exit_codes import ExitCode
from seawall.cli.moments import parse_span, shown_utc
from seawall.cli.opening import opened, running_daemon
from seawall.cli.output import emit_json, print_facts, print_table, say
from seawall.cli.rollout_facts import (
    counts_words,
    details_json,
    parse_cohorts,
    parse_seconds,
    parse_share,
    rollout_facts,
    rollout_json,
)
from seawall.cli.state import json_option, state_option
from seawall.model.rollout import Plan, Rollout, RolloutState

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from seawall.operations.installation import Installation

_LEFT_OUT: Final = {
    "other-board": "another board",
    "not-active": "disabled or revoked",
    "plain-profile": "of the plain profile, which takes no updates",
    "newer-version": "run a later version",
    "failed-before": "failed with it for good before (--again asks them again)",
}


@click.group(
    name="rollout",
    epilog="""\b
Examples:
  seawall rollout start unix/1.2.0
  seawall rollout status --watch
  seawall rollout abort
""",
)
def command() -> None:
    """Offer a release to the fleet, cohort by cohort, and stop by itself on bad news."""


def _complete_rollout(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from seawall.operations.list_rollouts import list_rollouts  # noqa: PLC0415

    try:
        with opened(_state_of(ctx)) as installation:
            kept = [each.rollout for each in list_rollouts(installation)]
    except Exception:  # a shell that completes shows no errors
        return []
    return [
        CompletionItem(each.rollout_id, help=f"{each.board}/{each.version} {each.state.value}")
        for each in reversed(kept)
        if each.rollout_id.startswith(incomplete)
    ]


def _complete_release(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem  # noqa: PLC0415

    from seawall.updates.releases import list_releases  # noqa: PLC0415

    try:
        with opened(_state_of(ctx)) as installation:
            releases = list_releases(Path(installation.paths.updates))
    except Exception:  # a shell that completes shows no errors
        return []
    names = [release.target.removesuffix(".json") for release in reversed(releases)]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _state_of(ctx: click.Context) -> Path:
    from seawall.cli.state import default_state  # noqa: PLC0415

    return Path(ctx.params.get("state") or default_state())


_rollout_argument = click.argument(
    "rollout_id", metavar="[ROLLOUT]", required=False, shell_complete=_complete_rollout
)


@command.command(
    epilog="""\b
Examples:
  seawall rollout start unix/1.2.0
  seawall rollout start 1.2.0 --to 'greenhouse-*' --cohorts 10,100 --soak 1h
  seawall rollout start esp32/2.0 --group north --halt-at 2% --silence 1h --json
A cohort opens when all of the one before that are connected have ended, at least
one of them confirmed the version, and --soak has passed since. Devices that are
away wait for their turn. What failed for good is never offered again.
"""
)
@click.argument("release", shell_complete=_complete_release)
@click.option(
    "--to",
    "pattern",
    default="*",
    show_default=True,
    metavar="PATTERN",
    help="Which devices, as a glob.",
)
@click.option("--group", default="", metavar="GROUP", help="Only devices of this group.")
@click.option(
    "--cohorts",
    default="1,10,50,100",
    show_default=True,
    metavar="PERCENTS",
    help="Shares of the devices that have been offered it after each cohort.",
)
@click.option(
    "--soak",
    default="10m",
    show_default=True,
    metavar="SPAN",
    help="Watch a cohort so long before the next one opens.",
)
@click.option(
    "--halt-at",
    default="5%",
    show_default=True,
    metavar="SHARE",
    help="Halt when so many of those in a cohort that ended failed.",
)
@click.option(
    "--silence",
    default="15m",
    show_default=True,
    metavar="SPAN",
    help="A device that was offered it and says nothing of it for so long has failed; "
    "a trial is not counted.",
)
@click.option(
    "--trial",
    default="30s",
    show_default=True,
    metavar="SPAN",
    help="A device tries it so long before it rolls back.",
)
@click.option(
    "--again", is_flag=True, help="Offer it, too, to devices that failed for good before."
)
@state_option
@json_option
def start(*, state: Path, as_json: bool, **given: Any) -> None:
    """Start a roll-out of RELEASE: BOARD/VERSION, or a VERSION that one board alone has."""
    from seawall.operations.start_rollout import NewRollout, start_rollout  # noqa: PLC0415

    plan = Plan(
        cohorts=parse_cohorts(given["cohorts"]),
        soak_ms=parse_span(given["soak"]),
        halt_percent=parse_share(given["halt_at"]),
        silence_ms=parse_span(given["silence"]),
        trial_s=parse_seconds(given["trial"]),
    )
    new = NewRollout(given["release"], given["pattern"], given["group"], plan, given["again"])
    with opened(state) as installation:
        started = start_rollout(installation, new)
        is_running = running_daemon(installation.paths) is not None
        details = _details(installation, started.rollout.rollout_id)
    if as_json:
        emit_json({**details_json(details), "left_out": started.left_out, "daemon": is_running})
        return
    print_facts(rollout_facts(details.rollout, details.ways))
    for reason, names in sorted(started.left_out.items()):
        say(f"left out, {_LEFT_OUT[reason]}: {_names(names)}")
    if not is_running:
        say("No daemon runs: it begins once 'seawall up' does.")
    say(f"Next: 'seawall rollout status {started.rollout.rollout_id} --watch'.")


@command.command(
    epilog="""\b
Examples:
  seawall rollout status
  seawall rollout status r3 --json
  seawall rollout status --watch
Device states: waiting (for its cohort, or to connect), offered, downloading,
verified, trying, confirmed; rolled-back, refused, failed, silent, withdrawn.
With --watch: exit status 0 once it is complete, 1 if it halted or was aborted.
"""
)
@_rollout_argument
@click.option(
    "--watch/--no-watch",
    default=None,
    help="Go on until it is over. Default: on a terminal, while it runs.",
)
@state_option
@json_option
def status(rollout_id: str | None, watch: bool | None, state: Path, as_json: bool) -> None:
    """Show a roll-out and the way of each device; the newest, unless ROLLOUT names one."""
    from seawall.cli.rollout_watch import seen, show, watch_lines, watch_live  # noqa: PLC0415

    with opened(state) as installation:
        details = _details(installation, rollout_id)
        rollout = details.rollout
        if rollout.state is RolloutState.RUNNING and running_daemon(installation.paths) is None:
            say("No daemon runs: it goes on once 'seawall up' does.")
        to_people = sys.stdout.isatty() and not as_json
        if watch is None:
            watch = to_people and rollout.state is RolloutState.RUNNING
        if watch:
            changes = seen(installation, rollout.rollout_id)
            end = watch_live(changes) if to_people else watch_lines(changes, as_json=as_json)
            if end.rollout.state is not RolloutState.COMPLETE:
                raise click.exceptions.Exit(ExitCode.FAILED)
            return
    if as_json:
        emit_json(details_json(details))
    else:
        show(details)


@command.command(name="list", epilog="\b\nExamples:\n  seawall rollout list\n")
@state_option
@json_option
def list_(state: Path, as_json: bool) -> None:
    """List the roll-outs, the newest last."""
    from seawall.operations.list_rollouts import list_rollouts  # noqa: PLC0415

    with opened(state) as installation:
        kept = list_rollouts(installation)
    if as_json:
        emit_json([rollout_json(*each) for each in kept])
        return
    rows = [
        (
            rollout.rollout_id,
            f"{rollout.board}/{rollout.version}",
            rollout.state.value,
            shown_utc(rollout.started_ms),
            rollout.actor,
            counts_words(counts),
        )
        for rollout, counts in kept
    ]
    print_table(
        ("roll-out", "release", "state", "started", "by", "devices"), rows, empty="no roll-outs"
    )


@command.command(epilog="\b\nExample:\n  seawall rollout pause r3\n")
@_rollout_argument
@state_option
@json_option
def pause(**given: Any) -> None:
    """Offer nothing further; what is under way goes on."""
    from seawall.operations.pause_rollout import pause_rollout  # noqa: PLC0415

    _order(pause_rollout, **given)


@command.command(epilog="\b\nExample:\n  seawall rollout resume r3\n")
@_rollout_argument
@state_option
@json_option
def resume(**given: Any) -> None:
    """Let it go on after a pause or a halt.

    After a halt, what has failed so far does not count any more. It stays failed and is
    not offered again; devices that were silent are, unless they were trying it.
    """
    from seawall.operations.resume_rollout import resume_rollout  # noqa: PLC0415

    _order(resume_rollout, **given)


@command.command(epilog="\b\nExample:\n  seawall rollout abort r3\n")
@_rollout_argument
@state_option
@json_option
def abort(**given: Any) -> None:
    """End it: nobody is offered it any more, and what is not tried yet is taken back."""
    from seawall.operations.abort_rollout import abort_rollout  # noqa: PLC0415

    _order(abort_rollout, **given)


def _order(
    order: Callable[[Installation, str | None], Rollout],
    *,
    rollout_id: str | None,
    state: Path,
    as_json: bool,
) -> None:
    with opened(state) as installation:
        rollout = order(installation, rollout_id)
        details = _details(installation, rollout.rollout_id)
    if as_json:
        emit_json(rollout_json(details.rollout, details.counts))
    else:
        print_facts({"roll-out": rollout.rollout_id, "state": rollout.state.value})


def _details(installation: Installation, rollout_id: str | None) -> Any:
    from seawall.operations.show_rollout import show_rollout  # noqa: PLC0415

    return show_rollout(installation, rollout_id)


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"
