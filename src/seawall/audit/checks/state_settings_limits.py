"""Limits that no longer limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seawall.audit.check import Answers, Check, Job
from seawall.audit.probes.state import ReadStateSettings
from seawall.audit.state_files import STATE
from seawall.audit.state_settings import line_of, setting_fix
from seawall.audit.target import Target
from seawall.model.finding import Finding, Item, References, Risk, Severity, Status
from seawall.model.installation import Settings

_SOUND: tuple[tuple[str, str, float], ...] = (
    ("mqtt", "connect_timeout_s", 60),
    ("mqtt", "max_connections", 100_000),
    ("mqtt", "max_connections_per_address", 20_000),
    ("mqtt", "max_packet_bytes", 1 << 20),
    ("updates", "max_connections", 20_000),
    ("updates", "max_connections_per_address", 10_000),
    ("ingest", "max_payload_bytes", 256 << 10),
)
"""Section, setting, and the most that still protects a small server."""


def _jobs(_: Target) -> Sequence[Job[Any]]:
    return (ReadStateSettings(),)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    seen = answers[ReadStateSettings()]
    defaults = Settings()
    loose = [
        (section, name, value, getattr(getattr(defaults, section), name))
        for section, name, most in _SOUND
        if (value := getattr(getattr(seen.settings, section), name)) > most
    ]
    if not loose:
        yield Finding(Status.PASS, f"{len(_SOUND)} limits looked at, all tight")
        return
    words = ", ".join(f"{section}.{name} is {value:g}" for section, name, value, _ in loose)
    changes = [(section, name, default) for section, name, _, default in loose]
    yield Finding(
        Status.FAIL,
        words,
        setting_fix(target, seen, "Go back to what Seawall sets by itself.", *changes),
        location=line_of(seen, loose[0][0], loose[0][1]),
    )


CHECK = Check(
    id="state.settings.limits",
    title="Limits are too wide to protect the server",
    item=Item.DEFAULTS,
    kinds=STATE,
    severity=Severity.LOW,
    risk=Risk.READ,
    why="A single client, a broken one is enough, then holds more connections and memory than the "
    "machine has, and every other device is shut out.",
    references=References(("I9", "I2"), ("5.9-1",), ("DC",), (770, 400)),
    jobs=_jobs,
    judge=_judge,
)
