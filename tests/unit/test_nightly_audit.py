"""The nightly audit: when it is due, what it keeps and tells, and what it survives."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from seawall.daemon import nightly_audit
from seawall.daemon.nightly_audit import NightlyAudit, next_run
from seawall.daemon.settings import read_settings, render_settings
from seawall.errors import ConfigurationError, ServiceError, StateError
from seawall.model.installation import AuditSettings, Settings, StatePaths
from seawall.operations.installation import Installation
from seawall.operations.keep_audit import keep_audit, last_audit, last_audited, last_path
from seawall.pki.keystore import Keystore
from seawall.testing.memory_store import MemoryStore

ZONE = timezone(timedelta(hours=1))
AT = time(3, 30)


def local(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("now", "last", "started", "due"),
    [
        # Never audited: the first night that it is there for.
        (local(22, 2), None, local(22, 1), local(22, 3, 30)),
        (local(22, 10), None, local(22, 9), local(23, 3, 30)),
        (local(22, 3, 30), None, local(22, 1), local(22, 3, 30)),
        # Audited last night: tonight.
        (local(22, 10), local(22, 3, 31), local(1, 0), local(23, 3, 30)),
        (local(23, 3, 29), local(22, 3, 31), local(1, 0), local(23, 3, 30)),
        (local(23, 3, 45), local(22, 3, 31), local(1, 0), local(23, 3, 30)),
        # Switched off in the night: made up for, but not while everything starts.
        (local(23, 9), local(22, 3, 31), local(23, 9), local(23, 9, 15)),
        (local(23, 9, 20), local(22, 3, 31), local(23, 9), local(23, 9, 15)),
    ],
)
def test_when_it_is_due(
    now: datetime, last: datetime | None, started: datetime, due: datetime
) -> None:
    assert next_run(now, AT, last, started) == due


def a_report(*checks: str, new: Sequence[str] | None = None, severity: str = "high") -> bytes:
    told: dict[str, Any] = {
        "schema": "seawall-audit/1",
        "generated_at": "2026-11-22T02:30:00Z",
        "grade": "D" if checks else "A",
        "results": [
            {
                "check": check,
                "target": "state",
                "status": "fail",
                "severity": severity,
                "evidence": f"{check} is open",
                "fingerprint": f"f-{check}",
            }
            for check in checks
        ],
    }
    if new is not None:
        told["changes"] = {"new": [f"f-{check}" for check in new], "gone": []}
    return json.dumps(told).encode()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(
        StatePaths(tmp_path),
        Settings(),
        MemoryStore(),
        Keystore(tmp_path / "pki"),
        lambda: 1_763_759_216_000,
        "daemon",
    )


class Runs:
    """Plays ``seawall audit``: prints, in turn, what it was given."""

    def __init__(self, *reports: bytes | Exception) -> None:
        self.reports = list(reports)
        self.arguments: list[list[str]] = []

    async def __call__(self, arguments: Sequence[str]) -> bytes:
        self.arguments.append(list(arguments))
        report = self.reports.pop(0)
        if isinstance(report, Exception):
            raise report
        return report


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


def test_it_runs_once_a_night_and_tells_what_is_new(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "seawall.audit")
    second = a_report("a.b.c", "d.e.f", new=["d.e.f"])
    runs = Runs(a_report("a.b.c"), second.replace(b"11-22T02", b"11-23T02"))
    clock = Clock(local(22, 3))
    nightly = NightlyAudit(installation, runs, clock)
    assert asyncio.run(nightly.step()) is None
    clock.now = local(22, 3, 31)
    first = asyncio.run(nightly.step())
    assert first is not None
    assert [each.check for each in first.new] == ["a.b.c"]
    assert asyncio.run(nightly.step()) is None
    assert "--diff" not in runs.arguments[0]
    assert last_audit(installation.paths) == a_report("a.b.c")
    assert last_path(installation.paths).stat().st_mode & 0o777 == 0o600
    assert last_audited(installation.paths) == datetime(2026, 11, 22, 2, 30, tzinfo=UTC)
    caplog.clear()
    clock.now = local(23, 3, 30)
    assert asyncio.run(nightly.step()) is not None
    assert runs.arguments[1][-2:] == ["--diff", str(last_path(installation.paths))]
    warnings = [each.message for each in caplog.records if each.levelname == "WARNING"]
    assert warnings == ["audit: new, high: d.e.f: d.e.f is open (state)"]
    events = installation.store.events()
    assert [each.kind for each in events] == ["audited", "audit-finding-new"] * 2
    assert events[-1].detail["check"] == "d.e.f"


@pytest.mark.parametrize(
    "failure",
    [
        ServiceError("it did not end within 300 s"),
        b"",
        b"not json",
        b"[]",
        b'{"schema":"other/1"}',
        b'{"schema":"seawall-audit/1","results":[{}],"grade":"A"}',
        b"[" * 200_000,
    ],
)
def test_what_goes_wrong_is_told_and_the_next_try_is_tomorrow(
    installation: Installation, caplog: pytest.LogCaptureFixture, failure: bytes | Exception
) -> None:
    clock = Clock(local(22, 3))
    runs = Runs(failure, a_report())
    nightly = NightlyAudit(installation, runs, clock)
    clock.now = local(22, 3, 31)
    assert asyncio.run(nightly.step()) is None
    assert "the nightly audit failed" in caplog.text
    assert last_audit(installation.paths) is None
    clock.now = local(22, 3, 32)
    assert asyncio.run(nightly.step()) is None
    assert len(runs.arguments) == 1
    clock.now = local(23, 3, 30)
    kept = asyncio.run(nightly.step())
    assert kept is not None
    assert kept.grade == "A"


def test_a_damaged_result_is_no_obstacle(installation: Installation) -> None:
    path = last_path(installation.paths)
    path.parent.mkdir()
    path.write_bytes(b"{half")
    assert last_audited(installation.paths) is None
    assert keep_audit(installation, a_report()).grade == "A"


def test_a_bad_report_never_replaces_a_good_one(installation: Installation) -> None:
    keep_audit(installation, a_report("a.b.c"))
    with pytest.raises(StateError, match="no report"):
        keep_audit(installation, b"{}")
    assert last_audit(installation.paths) == a_report("a.b.c")


def test_many_new_failures_are_bounded(installation: Installation) -> None:
    kept = keep_audit(installation, a_report(*(f"a.b.c{n}" for n in range(100))))
    assert len(kept.new) == 100
    assert len(installation.store.events()) == 21
    assert installation.store.events()[0].detail == {"grade": "D", "new": "100", "gone": "0"}


def test_information_is_no_alarm_on_the_first_night(installation: Installation) -> None:
    assert keep_audit(installation, a_report("a.b.c", severity="info")).new == ()


def test_it_can_be_turned_off(installation: Installation) -> None:
    settings = replace(Settings(), audit=AuditSettings(nightly=False))
    nightly = NightlyAudit(replace(installation, settings=settings), Runs())

    async def for_a_moment() -> None:
        async with asyncio.timeout(0.05):
            await nightly.run()

    with pytest.raises(TimeoutError):
        asyncio.run(for_a_moment())


@pytest.mark.parametrize("at", ["3:30", "24:00", "03:60", "", "03:30:00", "soon"])
def test_an_hour_that_is_none_is_refused(tmp_path: Path, at: str) -> None:
    path = tmp_path / "seawall.toml"
    path.write_text(render_settings(replace(Settings(), audit=AuditSettings(at=at))))
    with pytest.raises(ConfigurationError, match=r"audit\.at"):
        read_settings(path)


def test_an_audit_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What blocks its own loop, and what ignores a plain end, holds up its process alone."""
    number = tmp_path / "pid"
    stand_in = tmp_path / "python"
    stand_in.write_text(
        f"#!{sys.executable}\n"
        "import os, pathlib, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"pathlib.Path({str(number)!r}).write_text(str(os.getpid()))\n"
        "while True: pass\n"
    )
    stand_in.chmod(0o700)
    monkeypatch.setattr(nightly_audit.sys, "executable", str(stand_in))
    monkeypatch.setattr(nightly_audit, "TIMEOUT_S", 2.0)
    with pytest.raises(ServiceError, match="did not end"):
        asyncio.run(nightly_audit.run_audit(["--json"]))
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
