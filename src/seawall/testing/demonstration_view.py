"""What people see of the demonstration in their terminal."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from seawall.model.reading import Reason
from seawall.testing.device_process import Runtime

_SPARKS: Final = "▁▂▃▄▅▆▇█"
_HISTORY: Final = 32
_SHOWN_DEVICES: Final = 12
_SHOWN_NOTES: Final = 6
_REPORT_EVERY_S: Final = 10.0
_WORDS: Final = {
    Reason.BAD_SIGNATURE: "changed on the way: the signature does not match",
    Reason.REPLAY: "recorded and sent again: this reading was taken before",
}


def sparkline(values: Sequence[float]) -> str:
    """Return a series as a line of blocks, the lowest value at the bottom."""
    if not values:
        return ""
    low, high = min(values), max(values)
    span = high - low or 1.0
    return "".join(_SPARKS[round((value - low) / span * (len(_SPARKS) - 1))] for value in values)


def to_fahrenheit(celsius: float) -> float:
    """Return degrees Fahrenheit."""
    return celsius * 9 / 5 + 32


class DemonstrationView:
    """Shows devices and refusals as they come: a live table, or lines on a pipe.

    Args:
        names: The honest devices.
        is_quiet: Show nothing at all.
    """

    def __init__(self, names: Sequence[str], *, is_quiet: bool) -> None:
        self._console = Console(stderr=True, quiet=is_quiet)
        self._is_live = sys.stderr.isatty() and not is_quiet
        self._histories: dict[str, list[float]] = {name: [] for name in names}
        self._readings = 0
        self._refused: dict[str, int] = {}
        self._notes: list[str] = []
        self._live: Live | None = None
        self._reported = time.monotonic()

    def introduce(
        self, *, url: str, password: str, fingerprint: str, broker: str, runtime: Runtime
    ) -> None:
        """Say what runs and how to look at it."""
        print_ = self._console.print
        print_("[bold]Seawall demo[/]: a temporary installation on this machine")
        print_(f"  broker   {broker}, mutual TLS, every payload signed", highlight=False)
        print_(f"  devices  {runtime.version}, a process each, TMP36 values measured for real")
        if not runtime.is_micropython:
            print_("  [yellow]MicroPython has no package for this platform: CPython stands in[/]")
        print_("")
        print_(f"  open     [bold cyan]{url}[/]", highlight=False)
        print_(f"  sign in  [bold]admin[/]  password [bold]{password}[/]", highlight=False)
        print_("  The browser will warn: the certificate is of the demo's own authority. SHA-256:")
        print_(f"  {fingerprint}", highlight=False, soft_wrap=True)
        print_("  Ctrl-C ends it and removes everything.\n")

    @contextlib.contextmanager
    def live(self) -> Iterator[None]:
        """Redraw the table while the context is open."""
        if not self._is_live:
            yield
            return
        with Live(self._draw(), console=self._console, refresh_per_second=4) as live:
            self._live = live
            yield
        self._live = None

    def show(self, kind: str, data: bytes) -> None:
        """Take an event of the feed."""
        facts = json.loads(data)
        if kind == "reading":
            self._take_reading(facts)
        elif kind == "refusal":
            self._take_refusal(facts)
        if self._live is not None:
            self._live.update(self._draw())
        elif time.monotonic() - self._reported >= _REPORT_EVERY_S:
            self._reported = time.monotonic()
            self._console.print(
                f"{self._readings} readings stored, {sum(self._refused.values())} messages refused",
                highlight=False,
            )

    def note(self, words: str) -> None:
        """Say what happens beside the readings; may be called from another thread."""
        self._notes = [*self._notes, words][-_SHOWN_NOTES:]
        if self._live is None:
            self._console.print(words, highlight=False, markup=False)

    def conclude(self, facts: Mapping[str, Any]) -> None:
        """Say what came of it."""
        self._console.print(
            f"\n{facts['readings_stored']} readings verified and stored, "
            f"{sum(facts['refused'].values())} messages refused.",
            highlight=False,
        )
        for rollout in facts.get("update", {}).get("rollouts", ()):
            self._console.print(
                f"Version {rollout['version']}: {rollout['state']} after {rollout['seconds']} s"
                + (f" ({rollout['reason']})" if rollout["reason"] else "")
                + ".",
                highlight=False,
                markup=False,
            )

    def _take_reading(self, facts: Mapping[str, Any]) -> None:
        self._readings += 1
        temperature_c = facts["metrics"].get("temp")
        history = self._histories.get(facts["device_id"])
        if temperature_c is None or history is None:
            return
        if not history and self._live is None:
            self._console.print(
                f"{facts['device_id']}: first reading {temperature_c:.2f} °C, verified and stored",
                highlight=False,
            )
        history.append(temperature_c)
        del history[:-_HISTORY]

    def _take_refusal(self, facts: Mapping[str, Any]) -> None:
        reason = str(facts["reason"])
        if reason not in self._refused and self._live is None:
            self._console.print(self._describe(reason, facts["device_id"]))
        self._refused[reason] = self._refused.get(reason, 0) + 1

    def _describe(self, reason: str, device_id: str | None) -> Text:
        known = {kind.value: words for kind, words in _WORDS.items()}
        words = known.get(reason, reason)
        return Text.assemble(("REFUSED ", "bold red"), f"{device_id or 'unknown'}: {words}")

    def _draw(self) -> RenderableType:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("device")
        table.add_column("°C", justify="right")
        table.add_column("°F", justify="right")
        table.add_column("lately, an hour a second")
        for name, history in list(self._histories.items())[:_SHOWN_DEVICES]:
            if history:
                cells = (f"{history[-1]:.2f}", f"{to_fahrenheit(history[-1]):.1f}")
            else:
                cells = ("…", "")
            table.add_row(name, *cells, Text(sparkline(history), style="cyan"))
        if len(self._histories) > _SHOWN_DEVICES:
            table.add_row(f"and {len(self._histories) - _SHOWN_DEVICES} more", "", "", "")
        lines = [
            Text.assemble(
                (f"refused {count:>4}  ", "bold red"), dict(_known_words()).get(reason, reason)
            )
            for reason, count in self._refused.items()
        ]
        counted = Text.assemble(
            (f"stored {self._readings:>5}  ", "bold green"), "readings, verified"
        )
        notes = [Text(words, style="bold" if "HALTED" in words else "") for words in self._notes]
        return Group(table, counted, *lines, *notes)


def _known_words() -> Iterator[tuple[str, str]]:
    for kind, words in _WORDS.items():
        yield kind.value, words
