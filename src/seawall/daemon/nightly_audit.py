"""Audits the installation once a day, in a process of its own, and warns of what is new."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from seawall.errors import SeawallError, ServiceError
from seawall.operations.installation import Installation
from seawall.operations.keep_audit import MAX_BYTES, KeptAudit, keep_audit, last_audited, last_path

_log = logging.getLogger("seawall.audit")

LOOK_EVERY_S: Final = 60.0
"""The clock may be set, and summer time begins: a long sleep would miss the hour."""
SETTLE: Final = timedelta(minutes=15)
"""After its start the daemon has other things to do than to make up for a missed night."""
TIMEOUT_S: Final = 300.0
_NICE: Final = 19
_SHOWN: Final = 10
_WORDS_BYTES: Final = 1000

Run = Callable[[Sequence[str]], Awaitable[bytes]]
"""Runs ``seawall audit`` with these arguments; returns what it printed."""


def next_run(now: datetime, at: time, last: datetime | None, started: datetime) -> datetime:
    """Return when the next audit is due.

    Args:
        now: The time, local.
        at: The hour of each day, local.
        last: When the last one began; None: there was none.
        started: When the daemon started: a missed night is made up for a while after.
    """
    scheduled = now.replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
    if scheduled > now:
        scheduled -= timedelta(days=1)
    if last is not None and last < scheduled:
        # Due since `scheduled`; at the start only after a while.
        return max(scheduled, started + SETTLE) if started > scheduled else scheduled
    if last is None and started < scheduled:
        return scheduled
    return scheduled + timedelta(days=1)


class NightlyAudit:
    """Looks at the clock each minute.

    Args:
        installation: Whose.
        run: Runs the audit.
        clock: The time, local and aware.
    """

    def __init__(
        self,
        installation: Installation,
        run: Run | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        self._installation = installation
        self._run = run or run_audit
        self._clock = clock
        self._started = clock()
        self._tried: datetime | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        if not self._installation.settings.audit.nightly:
            await asyncio.Event().wait()
        while True:
            await self.step()
            await asyncio.sleep(LOOK_EVERY_S)

    async def step(self) -> KeptAudit | None:
        """Look once; return what an audit brought if one was due."""
        now = self._clock()
        last = await asyncio.to_thread(last_audited, self._installation.paths)
        # A try that failed counts: the next is tomorrow, not in a minute.
        tried = max((each for each in (last, self._tried) if each is not None), default=None)
        at = time.fromisoformat(self._installation.settings.audit.at)
        if next_run(now, at, tried, self._started) > now:
            return None
        self._tried = now
        try:
            kept = await self._audit()
        except SeawallError as error:
            _log.error("the nightly audit failed: %s", error)
            return None
        _tell(kept)
        return kept

    async def _audit(self) -> KeptAudit:
        paths = self._installation.paths
        arguments = ["--json", "--state", str(paths.root)]
        if last_path(paths).exists():
            arguments += ["--diff", str(last_path(paths))]
        report = await self._run(arguments)
        return await asyncio.to_thread(keep_audit, self._installation, report)


def _tell(kept: KeptAudit) -> None:
    _log.info("the nightly audit gives grade %s", kept.grade or "-")
    for each in kept.new[:_SHOWN]:
        _log.warning(
            "audit: new, %s: %s: %s (%s)", each.severity, each.check, each.evidence, each.target
        )
    if len(kept.new) > _SHOWN:
        _log.warning("audit: %d more are new; see 'seawall audit'", len(kept.new) - _SHOWN)
    for each in kept.gone[:_SHOWN]:
        _log.info("audit: mended: %s (%s)", each.check, each.target)


async def run_audit(arguments: Sequence[str]) -> bytes:
    """Run ``seawall audit`` as a process of the lowest priority, so that ingest goes first.

    Raises:
        ServiceError: it could not be started, took too long, or printed no report.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "seawall", "audit", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path("/"),
        )
    except OSError as error:
        raise ServiceError(f"it cannot be started: {error.strerror}") from error
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            report, words = await process.communicate()
    except TimeoutError:
        raise ServiceError(f"it did not end within {TIMEOUT_S:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if not report or len(report) > MAX_BYTES:
        told = words[-_WORDS_BYTES:].decode(errors="replace").strip()
        raise ServiceError(f"it ended with status {process.returncode}: {told or 'no words'}")
    return report
