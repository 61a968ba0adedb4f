"""``seawall refusals``: shows what was refused, and why."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from seawall.cli.moments import iso_utc, shown_utc
from seawall.cli.opening import opened
from seawall.cli.output import print_table, say
from seawall.cli.state import json_option, state_option
from seawall.model.reading import Reason, Refusal
from seawall.operations.list_refusals import list_refusals
from seawall.store.contract import Store

_SHOWN: Final = 20
_POLL_S: Final = 0.25
_EXCERPT_CHARS: Final = 60
_COLUMNS: Final = ("id", "time", "reason", "device", "peer", "what was wrong", "payload")

Numbered = tuple[int, Refusal]


@click.command(
    name="refusals",
    epilog="""\b
Examples:
  seawall refusals
  seawall refusals greenhouse-1 --reason bad-signature --last 5
  seawall refusals --json | jq -r '.[].reason' | sort | uniq -c
  seawall refusals --follow
""",
)
@click.argument("device", required=False)
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in Reason]),
    metavar="R",
    help=f"Only for this reason: {', '.join(reason.value for reason in Reason)}.",
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"Only the newest N. On a terminal {_SHOWN}, if it is not said.",
)
@click.option("--follow", is_flag=True, help="Go on with new ones as they come, until Ctrl-C.")
@json_option
@state_option
def command(
    device: str | None,
    reason: str | None,
    last: int | None,
    follow: bool,
    as_json: bool,
    state: Path,
) -> None:
    """Show refused messages and connections, oldest first, of one DEVICE or of all.

    With --json: one array of objects with id, at, at_ms, reason, device_id,
    topic, detail, payload, payload_bytes and peer, a line each; with --follow
    the lines alone, one object each.
    """
    wanted: dict[str, Any] = {
        "device_id": device,
        "reason": None if reason is None else Reason(reason),
    }
    if last is None and sys.stdout.isatty() and not as_json:
        last = _SHOWN
    with opened(state) as installation:
        store = installation.store
        found = list_refusals(store, last=last, **wanted)
        if follow:
            _follow(store, found, wanted, as_json=as_json)
        elif as_json:
            _print_json(found)
        else:
            print_table(_COLUMNS, [_row(*item) for item in found], empty="Nothing was refused.")
            _say_counts(store)


def _follow(
    store: Store, found: Sequence[Numbered], wanted: Mapping[str, Any], *, as_json: bool
) -> None:
    """Print what was found, and then what comes."""
    seen = 0
    if not as_json and not found:
        say("Nothing was refused so far; waiting.")
    while True:
        for number, refusal in found:
            seen = number
            line = _encode(number, refusal) if as_json else "  ".join(_row(number, refusal))
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        time.sleep(_POLL_S)
        found = list_refusals(store, after=seen, **wanted)


def _print_json(found: Sequence[Numbered]) -> None:
    lines = ",\n".join(_encode(number, refusal) for number, refusal in found)
    sys.stdout.write(f"[\n{lines}\n]\n" if lines else "[]\n")


def _encode(number: int, refusal: Refusal) -> str:
    import msgspec  # noqa: PLC0415  start-up time

    facts = {
        "id": number,
        "at": iso_utc(refusal.at_ms),
        "at_ms": refusal.at_ms,
        "reason": refusal.reason.value,
        "device_id": refusal.device_id,
        "topic": refusal.topic,
        "detail": refusal.detail,
        "payload": refusal.payload.decode(errors="replace"),
        "payload_bytes": refusal.payload_bytes,
        "peer": refusal.peer,
    }
    return msgspec.json.encode(facts).decode()


def _row(number: int, refusal: Refusal) -> tuple[str, ...]:
    return (
        str(number),
        shown_utc(refusal.at_ms),
        refusal.reason.value,
        _plain(refusal.device_id or ""),
        _plain(refusal.peer),
        _plain(refusal.detail),
        _excerpt(refusal),
    )


def _excerpt(refusal: Refusal) -> str:
    text = _plain(refusal.payload.decode(errors="replace"))
    return text if len(text) <= _EXCERPT_CHARS else text[: _EXCERPT_CHARS - 1] + "…"


def _plain(text: str) -> str:
    """Return text without what would steer a terminal: a stranger wrote it."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _say_counts(store: Store) -> None:
    counts = store.refusal_counts()
    if counts:
        parts = (f"{count} {reason.value}" for reason, count in sorted(counts.items()))
        say(f"Refused in all: {', '.join(parts)}.")
