"""The runner: equal jobs once, limits kept, whatever jobs and judges do; no secret comes out."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seawall.audit.check import Answers, Check, Job, Limits, Unobserved
from seawall.audit.redaction import MASK, Redactor
from seawall.audit.runner import Ports, Terms
from seawall.audit.running import audit_all
from seawall.audit.target import Access, Target, TargetKind
from seawall.audit.verdicts import MAX_FINDINGS, MAX_TEXT_CHARS, fingerprint
from seawall.model.finding import (
    Finding,
    Fix,
    Item,
    Location,
    References,
    Result,
    Risk,
    Severity,
    Status,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TARGET = Target(TargetKind.API, "https://thing", host="thing", port=443)
QUICK = Limits(deadline_s=0.2, live_deadline_s=0.2)


@dataclass
class World:
    """What jobs did to it."""

    runs: list[object] = field(default_factory=list)
    now: int = 0
    most: int = 0
    released: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Look(Job[str]):
    """Answers with a name, after letting others run."""

    name: str
    world: World = field(compare=False, default_factory=World)

    async def observe(self, target: Target, limits: Limits) -> str:
        self.world.runs.append(self.name)
        self.world.now += 1
        self.world.most = max(self.world.most, self.world.now)
        for _ in range(5):
            await asyncio.sleep(0)
        self.world.now -= 1
        return self.name


@dataclass(frozen=True)
class Hang(Job[str]):
    async def observe(self, target: Target, limits: Limits) -> str:
        await asyncio.Event().wait()
        raise AssertionError


@dataclass(frozen=True)
class HangAndStay(Job[str]):
    """Takes no cancellation for an answer."""

    async def observe(self, target: Target, limits: Limits) -> str:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue


@dataclass(frozen=True)
class Block(Job[str]):
    """Does not give way to its loop."""

    world: World = field(compare=False)

    async def observe(self, target: Target, limits: Limits) -> str:
        self.world.released.wait()
        return "late"


@dataclass(frozen=True)
class Raise(Job[str]):
    text: str = "boom"

    async def observe(self, target: Target, limits: Limits) -> str:
        raise ValueError(self.text)


@dataclass(frozen=True)
class Refuse(Job[str]):
    connections: ClassVar[int] = 0

    async def observe(self, target: Target, limits: Limits) -> str:
        raise Unobserved("connection refused")


def make(
    name: str,
    jobs: Sequence[Job[Any]] = (),
    judge: Callable[[Target, Answers], Iterable[Finding]] | None = None,
    **other: Any,
) -> Check:
    def every(target: Target, answers: Answers) -> Iterable[Finding]:
        for job in jobs:
            answers[job]
        yield Finding(Status.PASS, "fine")

    fields: dict[str, Any] = {
        "id": f"api.test.{name}",
        "title": "A title",
        "item": Item.INTERFACES,
        "kinds": frozenset({TargetKind.API}),
        "severity": Severity.HIGH,
        "risk": Risk.READ,
        "why": "Because.",
        "references": References(),
        "jobs": lambda _: jobs,
        "judge": judge or every,
    }
    return Check(**(fields | other))


def audit(
    *checks: Check,
    target: Target = TARGET,
    limits: Limits | None = None,
    ports: Ports | None = None,
) -> tuple[list[Result], list[str]]:
    return audit_all([target], checks, Terms(limits or Limits(), NOW, ports or {}))


def saying(*findings: Finding) -> Callable[[Target, Answers], Iterable[Finding]]:
    return lambda *_: findings


# Jobs


def test_equal_jobs_run_once_for_all_checks() -> None:
    world = World()
    checks = [make(f"c{n}", [Look("same", world), Look(f"own-{n}", world)]) for n in range(5)]
    results, faults = audit(*checks)
    assert sorted(world.runs) == ["own-0", "own-1", "own-2", "own-3", "own-4", "same"]
    assert [each.status for each in results] == [Status.PASS] * 5
    assert not faults


def test_at_most_two_jobs_at_a_time() -> None:
    world = World()
    audit(make("many", [Look(str(n), world) for n in range(20)]))
    assert len(world.runs) == 20
    assert world.most == 2


def test_no_more_connections_than_allowed() -> None:
    world = World()
    checks = [make(f"c{n}", [Look(str(n), world)]) for n in range(50)]
    results, faults = audit(*checks)
    assert len(world.runs) == 40
    refused = [each for each in results if each.status is Status.UNKNOWN]
    assert len(refused) == 10
    assert {each.evidence for each in refused} == {
        "not asked: the limit of 40 connections was reached"
    }
    assert not faults


def test_an_answer_that_does_not_come_is_unknown_with_its_reason() -> None:
    (result,), faults = audit(make("refused", [Refuse()]))
    assert (result.status, result.evidence) == (Status.UNKNOWN, "connection refused")
    assert not faults


@pytest.mark.parametrize("job", [Hang(), HangAndStay()])
def test_a_job_that_hangs_ends_with_its_target_and_spoils_no_other(job: Job[str]) -> None:
    good = make("good", [Look("seen")])
    results, faults = audit(make("hangs", [job]), good, limits=QUICK)
    assert [each.status for each in results] == [Status.UNKNOWN, Status.PASS]
    assert "0.2 s" in results[0].evidence
    assert not faults


def test_jobs_that_wait_for_their_turn_end_as_well() -> None:
    results, _ = audit(*(make(f"c{n}", [Wait(n)]) for n in range(9)), limits=QUICK)
    assert {each.status for each in results} == {Status.UNKNOWN}
    assert sum(each.evidence.startswith("not asked") for each in results) == 7


@dataclass(frozen=True)
class Wait(Job[None]):
    number: int

    async def observe(self, target: Target, limits: Limits) -> None:
        await asyncio.Event().wait()


def test_a_job_that_blocks_its_loop_is_given_up() -> None:
    world = World()
    other = Target(TargetKind.API, "https://other")
    checks = [make("blocks", [Block(world)])]
    try:
        terms = Terms(Limits(deadline_s=0.1), NOW)
        results, faults = audit_all([TARGET, other], [*checks, make("quick")], terms)
    finally:
        world.released.set()
    assert [each.status for each in results] == [Status.UNKNOWN, Status.PASS] * 2
    assert len(faults) == 2
    assert "was given up" in faults[0]


def test_a_job_that_raises_is_an_internal_error_and_unknown() -> None:
    results, faults = audit(make("raises", [Raise()]), make("good", [Look("x")]))
    assert [each.status for each in results] == [Status.UNKNOWN, Status.PASS]
    assert "internal error" in results[0].evidence
    assert faults == ["https://thing: Raise: ValueError: boom"]


def test_a_port_observes_in_the_stead_of_its_jobs() -> None:
    async def port(job: Refuse, target: Target, limits: Limits) -> object:
        return f"seen by a port of {target.name}"

    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        yield Finding(Status.PASS, answers[Refuse()])

    (result,), _ = audit(make("ported", [Refuse()], judge), ports={Refuse: port})
    assert result.evidence == "seen by a port of https://thing"


STUCK = """
import asyncio, threading
from dataclasses import replace
from test_audit_runner import TARGET, QUICK, Job, Terms, NOW, audit_all, make
from dataclasses import dataclass

@dataclass(frozen=True)
class Stuck(Job[None]):
    async def observe(self, target, limits):
        await asyncio.to_thread(threading.Event().wait)

results, faults = audit_all([TARGET], [make("stuck", [Stuck()])], Terms(QUICK, NOW))
print(results[0].status, faults)
"""


def test_a_thread_that_is_stuck_does_not_keep_the_process() -> None:
    # Such as one that waits for a name server.
    done = subprocess.run(
        [sys.executable, "-c", STUCK],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("unknown []\n", "")


# Judges


def test_the_judge_sees_the_clock_of_the_audit() -> None:
    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        yield Finding(Status.PASS, answers.now.isoformat())

    (result,), _ = audit(make("clock", [], judge))
    assert result.evidence == NOW.isoformat()


def test_what_was_found_before_an_answer_failed_stays() -> None:
    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        yield Finding(Status.FAIL, "bad")
        answers[Refuse()]

    results, faults = audit(make("partly", [Refuse()], judge))
    assert [each.status for each in results] == [Status.FAIL, Status.UNKNOWN]
    assert not faults


def test_a_judge_that_raises_or_says_nothing_is_an_internal_error() -> None:
    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        raise KeyError("x")

    results, faults = audit(make("raises", [], judge), make("silent", [], saying()))
    assert {each.status for each in results} == {Status.UNKNOWN}
    assert len(faults) == 2


def test_jobs_that_cannot_be_named_are_an_internal_error() -> None:
    def jobs(target: Target) -> Sequence[Job[Any]]:
        raise TypeError("no")

    (result,), faults = audit(replace(make("jobs"), jobs=jobs))
    assert result.status is Status.UNKNOWN
    assert faults == ["https://thing: api.test.jobs: TypeError: no"]


def test_floods_of_findings_and_of_words_are_cut() -> None:
    flood = [Finding(Status.PASS, "x" * 100_000, key=str(n)) for n in range(1000)]
    flood[-1] = Finding(Status.FAIL, "bad", severity=Severity.CRITICAL)
    results, _ = audit(make("flood", [], saying(*flood)))
    assert len(results) == MAX_FINDINGS + 1
    assert max(len(each.evidence) for each in results) == MAX_TEXT_CHARS
    assert results[-1].status is Status.FAIL
    assert results[-1].severity is Severity.CRITICAL
    assert results[-1].evidence.startswith("800 more")


# What is not made


def test_checks_for_other_kinds_are_left_out() -> None:
    results, _ = audit(make("tls", kinds=frozenset({TargetKind.TLS})))
    assert results == []


def test_missing_input_is_unknown_and_says_which() -> None:
    world = World()
    checks = [
        make("token", [Look("x", world)], needs=("token",)),
        make("ports", [Look("x", world)], needs=("expect_ports",)),
    ]
    results, _ = audit(*checks)
    assert [each.evidence for each in results] == ["needs --token-file", "needs --expect-ports"]
    assert {each.status for each in results} == {Status.UNKNOWN}
    assert not world.runs


def test_read_only_leaves_out_what_writes() -> None:
    world = World()
    target = Target(TargetKind.API, "https://thing", access=Access(may_write=False))
    checks = [make(f"{risk}", [Look(risk, world)], risk=risk) for risk in Risk]
    results, _ = audit(*checks, target=target)
    assert [each.status for each in results] == [Status.PASS, Status.PASS, Status.UNKNOWN]
    assert "--read-only" in results[2].evidence
    assert world.runs == ["read", "login"]


# Fingerprints


def test_a_fingerprint_does_not_follow_the_line_or_the_words() -> None:
    def found(line: int, evidence: str, key: str = "k") -> str:
        finding = Finding(Status.FAIL, evidence, location=Location("a.py", line), key=key)
        return audit(make("line", [], saying(finding)))[0][0].fingerprint

    assert (
        found(3, "one")
        == found(7, "two")
        == fingerprint("api.test.line", "https://thing", "a.py", "k")
    )
    assert found(3, "one", "k") != found(3, "one", "other")
    assert len(found(1, "x")) == 32


def test_two_findings_of_one_key_get_fingerprints_of_their_own() -> None:
    finding = Finding(Status.FAIL, "same")
    first, _ = audit(make("twins", [], saying(finding, finding)))
    again, _ = audit(make("twins", [], saying(finding, finding)))
    prints = [each.fingerprint for each in first]
    assert len(set(prints)) == 2
    assert prints == [each.fingerprint for each in again]


# Secrets


def test_no_seeded_secret_comes_out() -> None:
    access = Access(
        username="admin",
        password='s3cret/pass "word"',
        token="tok-0123456789",
        other=Access(username="b", password="other's-one"),
    )
    target = Target(TargetKind.API, "https://thing", access=access)
    basic = base64.b64encode(f"admin:{access.password}".encode()).decode()
    spelled = [
        access.password,
        repr(access.password),
        quote(str(access.password), safe=""),
        str(access.password).encode().hex(),
        basic,
        access.token,
        "other's-one",
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----",
        "mqtt://me:in-the-url@host",
    ]
    text = " | ".join(map(str, spelled))
    finding = Finding(
        Status.FAIL, text, Fix(text, text), location=Location(text), reproduce=text, key=text
    )

    def judge(*_: object) -> Iterable[Finding]:
        yield finding
        raise ValueError(text)

    results, faults = audit(
        make("said", [], judge),
        make("raised", [Raise(text)]),
        make("not", [Told(text)]),
        target=target,
    )
    printed = repr(results) + repr(faults) + repr(target)
    for secret in [*map(str, spelled), "MHcCAQ", "in-the-url", "s3cret"]:
        assert secret not in printed
    assert printed.count(MASK) > 30


@dataclass(frozen=True)
class Told(Job[None]):
    text: str

    async def observe(self, target: Target, limits: Limits) -> None:
        raise Unobserved(self.text)


def test_a_short_secret_is_masked_where_it_stands_alone() -> None:
    redactor = Redactor(Access(password="a"))
    assert redactor.text("a password: 'a'") == f"{MASK} password: '{MASK}'"


@given(secret=st.text(min_size=4, max_size=40), around=st.text(max_size=40))
def test_a_secret_is_masked_in_any_text(secret: str, around: str) -> None:
    redacted = Redactor(Access(password=secret)).text(f"{around}{secret}{around}")
    if secret not in MASK and secret not in around and MASK not in secret:
        assert secret not in redacted.replace(MASK, "")
