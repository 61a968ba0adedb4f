"""What a check is: metadata, jobs that observe, and a pure judge.

A check touches nothing by itself. Its jobs (`seawall.audit.probes`) look at the target and
return facts or raise `Unobserved`; its judge turns facts into findings. Jobs that are equal
run once for all checks that ask for them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Item, References, Risk, Severity

T = TypeVar("T")
Facts_co = TypeVar("Facts_co", covariant=True)


class Unobserved(Exception):  # noqa: N818  not a fault: an answer that did not come
    """There is no answer: refused, reset, timed out, flooded, another protocol, too big.

    Args:
        reason: One short sentence without a full stop, such as ``connection refused``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """What one target may cost.

    Attributes:
        connect_timeout_s: Seconds for TCP, and again for TLS.
        read_timeout_s: Seconds for one answer.
        deadline_s: Seconds for a target as a whole.
        live_deadline_s: The same for MQTT and TLS targets.
        state_deadline_s: The same for a state directory: a guess at a password takes 0.1 s, on
            a small or busy computer 1 s, and each is tried or the verdict is unknown.
        max_bytes: Most bytes of one file, or of one answer from the network.
        max_total_bytes: Most bytes that one job keeps in all.
        max_files: Most files of a folder.
        connections: Most connections to a target.
        parallel: Most jobs at a time on a target.
        nonce: Random letters and digits for names that the audit makes up.
    """

    connect_timeout_s: float = 2.0
    read_timeout_s: float = 2.0
    deadline_s: float = 10.0
    live_deadline_s: float = 3.0
    state_deadline_s: float = 60.0
    max_bytes: int = 1 << 20
    max_total_bytes: int = 32 << 20
    max_files: int = 20_000
    connections: int = 40
    parallel: int = 2
    nonce: str = ""

    def deadline_of(self, kind: TargetKind) -> float:
        """Return the seconds that a target of this kind has."""
        if kind is TargetKind.STATE:
            return max(self.state_deadline_s, self.deadline_s)
        live = kind in {TargetKind.MQTT, TargetKind.TLS}
        return min(self.live_deadline_s, self.deadline_s) if live else self.deadline_s


class Job(ABC, Generic[Facts_co]):
    """Looks at a target once. A frozen, hashable dataclass: equal jobs are one job.

    It is cancelled when the target's time is over, so it awaits often: work without a
    natural await gives way with ``await asyncio.sleep(0)`` after each few milliseconds.
    """

    __slots__ = ()

    connections: ClassVar[int] = 1
    """How many connections it opens at most: 1, or 0 if it stays on this machine."""

    @abstractmethod
    async def observe(self, target: Target, limits: Limits) -> Facts_co:
        """Return what was seen, as plain facts.

        Raises:
            Unobserved: there is no answer. Anything else that it raises is a fault of
                the job, reported as such.
        """


@dataclass(frozen=True, slots=True)
class Answers:
    """What the jobs of one check saw.

    Attributes:
        facts: By job, what it returned or why it did not.
        now: When the audit began, UTC. Judges know no other clock.
    """

    facts: Mapping[Job[Any], object]
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __getitem__(self, job: Job[T]) -> T:
        """Return what the job saw.

        Raises:
            Unobserved: it saw nothing. A judge lets it pass: the result is then unknown,
                with this reason.
        """
        seen = self.facts[job]
        if isinstance(seen, Unobserved):
            raise Unobserved(seen.reason)
        return cast(T, seen)


@dataclass(frozen=True, slots=True)
class Check:
    """One check; a module of `seawall.audit.checks` has it as ``CHECK``.

    Attributes:
        id: ``KIND.TOPIC.WHAT``, kebab-case, such as ``mqtt.acl.foreign-read``.
        title: What is wrong if it fails, such as ``A client reads foreign topics``.
        item: Which of the ten.
        kinds: Targets that it is for.
        severity: Of its failures, unless a finding has its own.
        risk: What its jobs do to the target.
        why: Two or three sentences: what an attacker does with it.
        references: Where standards speak of it.
        jobs: What to look at; pure.
        judge: Facts to findings, at least one; pure.
        needs: Fields of `Access` without which the result is unknown.
    """

    id: str
    title: str
    item: Item
    kinds: frozenset[TargetKind]
    severity: Severity
    risk: Risk
    why: str
    references: References
    jobs: Callable[[Target], Sequence[Job[Any]]]
    judge: Callable[[Target, Answers], Iterable[Finding]]
    needs: tuple[str, ...] = ()


def fits(check: Check, target: Target) -> bool:
    """Tell whether a check is to be made for a target."""
    return target.kind in check.kinds and check.id not in target.left_out
