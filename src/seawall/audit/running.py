"""Audits several targets at a time and ends when their time is over, whatever they do.

Each target has a thread with a loop of its own. A job or a judge that never comes back, an
extra check in an endless loop for one, holds up its own target alone: it is given up, and
the checks that it kept from being made are unknown.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from seawall.audit.check import Check, fits
from seawall.audit.runner import CANCEL_S, Outcome, Terms, audit_target
from seawall.audit.target import Target
from seawall.audit.verdicts import results, unknown
from seawall.model.finding import Result

T = TypeVar("T")

AT_A_TIME: Final = 4
"""Targets; most of an audit is waiting."""
GRACE_S: Final = 1.0
"""For judging what came in the last moment."""

Progress = Callable[[str, int, int], None]
"""Takes a target's name, how many of its checks are done, and of how many. From any thread."""


@dataclass(slots=True)
class _Errand:
    """A target and the thread that audits it."""

    target: Target
    checks: tuple[Check, ...]
    gives_up_at: float
    outcome: Outcome = field(default_factory=Outcome)


def audit_all(
    targets: Sequence[Target],
    checks: Sequence[Check],
    terms: Terms,
    progress: Progress = lambda *_: None,
) -> tuple[list[Result], list[str]]:
    """Audit all targets; return results in their order, and internal errors.

    Returns:
        Results by target, then in the order of ``checks``; and a sentence for each
        internal error.
    """
    waiting = list(range(len(targets)))[::-1]
    running: dict[int, _Errand] = {}
    done: dict[int, tuple[list[Result], list[str]]] = {}
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    while waiting or running:
        while waiting and len(running) < AT_A_TIME:
            number = waiting.pop()
            running[number] = _start(targets[number], checks, terms, progress, number, ended)
        for number in _over(running, ended):
            done[number] = _taken(running.pop(number))
    results = [result for number in sorted(done) for result in done[number][0]]
    return results, [fault for number in sorted(done) for fault in done[number][1]]


def _over(running: dict[int, _Errand], ended: queue.SimpleQueue[int]) -> list[int]:
    """Wait for the next target that is done, or whose time is over."""
    nearest = min(errand.gives_up_at for errand in running.values())
    try:
        number = ended.get(timeout=max(nearest - time.monotonic(), 0))
    except queue.Empty:
        return [n for n, errand in running.items() if errand.gives_up_at <= time.monotonic()]
    return [number] if number in running else []  # else it was given up before


def _start(
    target: Target,
    checks: Sequence[Check],
    terms: Terms,
    progress: Progress,
    number: int,
    ended: queue.SimpleQueue[int],
) -> _Errand:
    fitting = tuple(check for check in checks if fits(check, target))
    rest = terms.limits.deadline_of(target.kind) + CANCEL_S + GRACE_S
    errand = _Errand(target, fitting, time.monotonic() + rest)

    def heard(_: str) -> None:
        progress(target.name, len(errand.outcome.by_check), len(fitting))

    def work() -> None:
        try:
            progress(target.name, 0, len(fitting))
            _run_loop(audit_target(target, fitting, terms, errand.outcome, heard))
        except Exception as fault:
            errand.outcome.faults.append(f"{target.name}: {type(fault).__name__}")
        finally:
            ended.put(number)

    # Daemon: the process ends without a thread that does not.
    threading.Thread(target=work, name=f"audit {target.name}", daemon=True).start()
    return errand


class _LooseThreads(ThreadPoolExecutor):
    """Threads for jobs that nobody waits for at the end of the process.

    Names are resolved in a thread that cannot be stopped; with a name server that does not
    answer it lives for half a minute, and Python's own pools would wait for it.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        """Run a function in a thread of its own."""
        future: Future[T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **named))
            except BaseException as fault:
                future.set_exception(fault)

        threading.Thread(target=work, daemon=True).start()
        return future


def _run_loop(visit: Coroutine[Any, Any, None]) -> None:
    """Run a visit to its end; unlike `asyncio.run`, do not wait for jobs that will not end."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_LooseThreads())
    loop.set_exception_handler(lambda *_: None)  # a job given up has nobody to tell
    try:
        loop.run_until_complete(visit)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=CANCEL_S))
    finally:
        loop.close()


def _taken(errand: _Errand) -> tuple[list[Result], list[str]]:
    """Return what is there of a target; what its time did not suffice for is unknown."""
    by_check = dict(errand.outcome.by_check)
    faults = list(errand.outcome.faults)
    made: list[Result] = []
    for check in errand.checks:
        if check.id not in by_check:
            reason = "the time of this target was over before the check was done"
            made += results(check, errand.target, [unknown(reason)])
        made += by_check.get(check.id, [])
    if len(by_check) < len(errand.checks) and not faults:
        faults.append(f"{errand.target.name}: a check did not end in time and was given up")
    return made, faults
