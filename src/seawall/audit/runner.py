"""Audits one target: runs jobs within its limits, judges each check when its answers are in.

Equal jobs run once. An answer is dropped when the last check that wants it is judged, so
that memory follows what is looked at now, not the size of the target.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job, Limits, Unobserved, fits
from seawall.audit.redaction import Redactor
from seawall.audit.target import Target
from seawall.audit.verdicts import judge, missing_input, results, unknown
from seawall.model.finding import Finding, Result, Risk

CANCEL_S: Final = 0.2
"""A cancelled job has so long to close what it opened."""

Ports = Mapping[type[Job[Any]], Callable[[Any, Target, Limits], Awaitable[object]]]
"""By class of job, what observes in its stead: how operations lend what audit cannot reach."""

Heard = Callable[[str], None]
"""Takes the id of a check that is done."""


@dataclass(slots=True)
class Outcome:
    """What an audit of one target has brought so far.

    Attributes:
        by_check: Results of each check that is judged.
        faults: Internal errors.
    """

    by_check: dict[str, list[Result]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for all targets of an audit.

    Attributes:
        limits: What a target may cost.
        now: The clock that judges see, UTC.
        ports: What observes in the stead of jobs that cannot.
    """

    limits: Limits
    now: datetime
    ports: Ports = field(default_factory=dict)


async def audit_target(
    target: Target,
    checks: Sequence[Check],
    terms: Terms,
    outcome: Outcome,
    heard: Heard = lambda _: None,
) -> None:
    """Run the checks that are for this kind of target; ends within its deadline.

    Args:
        target: What to audit.
        checks: All checks; those for other kinds are left out.
        terms: Limits, clock and ports.
        outcome: Is filled as checks are done, so that a caller who gives up has them.
        heard: Is told of each check that is done.
    """
    visit = _Visit(target, terms, outcome)
    fitting = [check for check in checks if fits(check, target)]
    wanted = [(check, visit.jobs_of(check)) for check in fitting]
    await asyncio.gather(*(visit.make(check, jobs, heard) for check, jobs in wanted))


class _Visit:
    """One target while it is looked at."""

    def __init__(self, target: Target, terms: Terms, outcome: Outcome) -> None:
        limits = terms.limits
        self._target = target
        self._limits = limits
        self._terms = terms
        self._outcome = outcome
        self._redactor = Redactor(target.access)
        self._seconds = limits.deadline_of(target.kind)
        self._ends = asyncio.get_running_loop().time() + self._seconds
        self._turns = asyncio.Semaphore(limits.parallel)
        self._connections = 0
        self._seen: dict[Job[Any], asyncio.Task[object]] = {}
        self._users: Counter[Job[Any]] = Counter()

    def jobs_of(self, check: Check) -> tuple[Job[Any], ...] | Finding:
        """Return the jobs of a check, or why it is not made."""
        if missing := missing_input(check, self._target):
            return unknown(missing)
        if check.risk is Risk.WRITE and not self._target.access.may_write:
            return unknown("not made: the audit is --read-only")
        try:
            jobs = tuple(dict.fromkeys(check.jobs(self._target)))
        except Exception as fault:
            self._fault(check.id, fault)
            return unknown("an internal error; see the message of the audit")
        self._users.update(jobs)
        return jobs

    async def make(self, check: Check, jobs: tuple[Job[Any], ...] | Finding, heard: Heard) -> None:
        """Wait for the answers of one check and judge it."""
        if isinstance(jobs, Finding):
            findings = [jobs]
        else:
            # One after the other starts, all are waited for: the semaphore keeps the order.
            facts = dict(zip(jobs, await asyncio.gather(*map(self._answer, jobs)), strict=True))
            findings, fault = judge(check, self._target, Answers(facts, self._terms.now))
            if fault:
                self._fault(check.id, fault)
            self._drop(jobs)
        self._outcome.by_check[check.id] = results(check, self._target, findings)
        heard(check.id)

    def _drop(self, jobs: tuple[Job[Any], ...]) -> None:
        self._users.subtract(jobs)
        for job in jobs:
            if not self._users[job]:
                del self._seen[job]

    async def _answer(self, job: Job[Any]) -> object:
        if job not in self._seen:
            self._seen[job] = asyncio.create_task(self._run(job))
        return await self._seen[job]

    async def _run(self, job: Job[Any]) -> object:
        try:
            async with asyncio.timeout_at(self._ends):
                await self._turns.acquire()
        except TimeoutError:
            return Unobserved(f"not asked: the {self._seconds:g} s of this target were over")
        try:
            if self._connections + job.connections > self._limits.connections:
                limit = self._limits.connections
                return Unobserved(f"not asked: the limit of {limit} connections was reached")
            self._connections += job.connections
            return await self._observe(job)
        finally:
            self._turns.release()

    async def _observe(self, job: Job[Any]) -> object:
        """Run one job until the target's time is over, and no longer even if it will not end."""
        port = self._terms.ports.get(type(job))
        looks = port(job, self._target, self._limits) if port else self._own(job)
        task = asyncio.ensure_future(looks)
        rest = self._ends - asyncio.get_running_loop().time()
        try:
            await asyncio.wait({task}, timeout=max(rest, 0))
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_S)
        if not task.done() or task.cancelled():
            return Unobserved(f"no answer within the {self._seconds:g} s that a target has")
        fault = task.exception()
        if fault is None:
            return task.result()
        if isinstance(fault, Unobserved):
            return fault
        self._fault(type(job).__name__, fault)
        return Unobserved("an internal error; see the message of the audit")

    def _own(self, job: Job[Any]) -> Awaitable[object]:
        return job.observe(self._target, self._limits)

    def _fault(self, place: str, fault: BaseException | str) -> None:
        words = fault if isinstance(fault, str) else f"{type(fault).__name__}: {fault}"
        self._outcome.faults.append(self._redactor.text(f"{self._target.name}: {place}: {words}"))
