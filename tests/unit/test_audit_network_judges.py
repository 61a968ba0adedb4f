"""Judges of network checks on made facts: what a test cannot easily have a server do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from seawall.audit.api_subject import root_of, surface
from seawall.audit.check import Answers, Check, Job, Unobserved
from seawall.audit.checks import (
    api_login_limit,
    api_plain,
    host_ports,
    host_telnet,
    tls_ciphers,
    tls_client_certificate,
    tls_protocol,
)
from seawall.audit.http_facts import Reply, WalkFacts
from seawall.audit.probes.http import PlainKnock
from seawall.audit.probes.http_login import LoginFacts, LoginTries, Try
from seawall.audit.probes.ports import PortFacts, PortsFacts, PortsProbe, PortState
from seawall.audit.probes.tls import CLOSED, Hello, Session, SessionFacts
from seawall.audit.services import Service, ports_to_ask
from seawall.audit.target import Access, Target, TargetKind
from seawall.audit.verdicts import judge
from seawall.model.finding import Confidence, Finding, Status
from seawall.wire.tls_hello import ServerFlight, TlsVersion
from seawall.wire.tls_suites import SuiteGroup

NOW = datetime(2026, 6, 1, tzinfo=UTC)
API = Target(TargetKind.API, "https://sea.example", "sea.example", 443, uses_tls=True)
TLS = Target(TargetKind.TLS, "tls://sea.example:8883", "sea.example", 8883)
HOST = Target(TargetKind.HOST, "host://sea.example", "sea.example", access=Access(expect_ports=()))


def judged(check: Check, target: Target, facts: Mapping[Job[Any], object]) -> list[Finding]:
    every = {job: facts.get(job, Unobserved("timed out")) for job in check.jobs(target)}
    findings, fault = judge(check, target, Answers(every, NOW))
    assert not fault
    return findings


REDIRECT = Reply(308, (("location", "https://sea.example/"),))


@pytest.mark.parametrize(
    ("knock", "status"),
    [
        (REDIRECT, Status.PASS),
        (replace(REDIRECT, headers=(("location", "http://sea.example/a"),)), Status.FAIL),
        (Reply(200, (), b"<p>"), Status.FAIL),
        (Unobserved("connection refused"), Status.PASS),
        (Unobserved("timed out"), Status.UNKNOWN),
    ],
)
def test_port_80_beside_https(knock: object, status: Status) -> None:
    walk = WalkFacts({root_of(API): Reply(200)})
    (finding,) = judged(api_plain.CHECK, API, {surface(API): walk, PlainKnock(): knock})
    assert finding.status is status


def refusing() -> dict[Job[Any], object]:
    alert = ServerFlight(alert=40, complete=True)
    hellos: dict[Job[Any], object] = dict.fromkeys(
        (*tls_protocol.CHECK.jobs(TLS), *tls_ciphers.CHECK.jobs(TLS)), alert
    )
    return hellos | {
        Session(): SessionFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", b"x"),
        Hello(TlsVersion.TLS_1_2): ServerFlight(version=0x0303, suite=0xC02F, complete=True),
    }


def test_refused_is_a_pass_and_unseen_is_not() -> None:
    facts = refusing()
    (finding,) = judged(tls_ciphers.CHECK, TLS, facts)
    assert finding.status is Status.PASS
    del facts[Hello(TlsVersion.TLS_1_2, (SuiteGroup.RC4,))]
    (finding,) = judged(tls_ciphers.CHECK, TLS, facts)
    assert (finding.status, finding.evidence) == (Status.UNKNOWN, "rc4: timed out")


def test_what_was_found_stands_beside_what_was_not_seen() -> None:
    facts = refusing()
    del facts[Hello(TlsVersion.TLS_1_0)]
    facts[Hello(TlsVersion.TLS_1_1)] = ServerFlight(version=0x0302, suite=0xC013)
    findings = judged(tls_protocol.CHECK, TLS, facts)
    assert [finding.status for finding in findings] == [Status.FAIL, Status.UNKNOWN]


def test_a_lower_version_than_offered_counts_once() -> None:
    facts = refusing()
    for version in (TlsVersion.TLS_1_0, TlsVersion.TLS_1_1):
        facts[Hello(version)] = ServerFlight(version=0x0301, suite=0xC013)
    (finding,) = judged(tls_protocol.CHECK, TLS, facts)
    assert finding.key == "TLS 1.0"


def test_silence_everywhere_is_unknown() -> None:
    closed = dict.fromkeys(tls_protocol.CHECK.jobs(TLS), ServerFlight())
    closed[Session()] = Unobserved("connection reset")
    (finding,) = judged(tls_protocol.CHECK, TLS, closed)
    assert (finding.status, finding.evidence) == (Status.UNKNOWN, "connection reset")


def test_a_close_after_tls_1_3_is_not_taken_for_a_demand() -> None:
    facts = {
        Hello(TlsVersion.TLS_1_2): ServerFlight(alert=70, complete=True),
        Session(): SessionFacts("TLSv1.3", "x", b"x", CLOSED),
    }
    (finding,) = judged(tls_client_certificate.CHECK, TLS, facts)
    assert finding.status is Status.UNKNOWN


def test_a_limit_shows_by_time_as_well() -> None:
    quick = Try("admin", 5, Reply(401), 0.05)
    for last, status in ((quick, Status.FAIL), (replace(quick, seconds=1.2), Status.PASS)):
        facts = {LoginTries(): LoginFacts("form at /", (*[quick] * 4, last))}
        target = replace(API, access=Access(try_defaults=True))
        (finding,) = judged(api_login_limit.CHECK, target, facts)
        assert finding.status is status


def ports(
    check: Check,
    *,
    expected: tuple[int, ...] = (),
    silent: tuple[int, ...] = (),
    unseen: tuple[int, ...] = (),
    services: tuple[Service, ...] = (),
) -> list[Finding]:
    """Judge a host whose other ports are closed."""
    target = replace(HOST, access=Access(expect_ports=expected))
    is_open = {each.port: PortFacts(each.port, PortState.OPEN, each) for each in services}

    def facts(port: int) -> PortFacts:
        state = PortState.SILENT if port in silent else PortState.CLOSED
        return is_open.get(port, PortFacts(port, state))

    asked = ports_to_ask(expected)
    seen = tuple(facts(port) for port in asked if port not in unseen)
    reasons = tuple((port, "not asked") for port in unseen)
    return judged(check, target, {PortsProbe(asked): PortsFacts(seen, reasons)})


TELNET = Service(23, "telnet", is_certain=True, said="login")


def test_ports_that_were_not_asked_are_no_pass() -> None:
    (finding,) = ports(host_ports.CHECK)
    assert (finding.status, finding.confidence) == (Status.PASS, Confidence.HIGH)
    for check in (host_ports.CHECK, host_telnet.CHECK):
        (finding,) = ports(check, unseen=(8081,))
        assert finding.status is Status.UNKNOWN
        (finding,) = ports(check, services=(TELNET,))
        assert (finding.status, finding.key) == (Status.FAIL, "23")
        (finding,) = ports(check, silent=ports_to_ask(()))
        assert finding.status is Status.UNKNOWN


def test_ports_that_stay_silent_make_less_sure() -> None:
    (finding,) = ports(host_telnet.CHECK, silent=(8081, 9000))
    assert (finding.status, finding.confidence) == (Status.PASS, Confidence.MEDIUM)
    assert finding.evidence.endswith("ports that were asked; 2 stayed silent: 9000, 8081")
    (finding,) = ports(host_telnet.CHECK, silent=(8081, 2323))
    assert finding.status is Status.UNKNOWN
    assert "nothing came back from 2323" in finding.evidence
    (finding,) = ports(host_ports.CHECK, expected=(22, 443), silent=(22,))
    assert (finding.status, finding.confidence) == (Status.PASS, Confidence.MEDIUM)
    assert "declared and not open: 443; 1 stayed silent: 22" in finding.evidence


def test_declared_ports_beyond_the_limit_are_told_and_hide_no_usual_one() -> None:
    many = tuple(range(30_000, 30_045))
    assert {23, 2323} < set(ports_to_ask(many))
    (finding,) = ports(host_ports.CHECK, expected=many)
    assert finding.status is Status.UNKNOWN
    assert finding.evidence == "40 declared ports were not asked: at most 40 of a host are"
    (failed, _) = ports(host_ports.CHECK, expected=many, services=(TELNET,))
    assert failed.status is Status.FAIL
    (failed,) = ports(host_telnet.CHECK, expected=many, services=(TELNET,))
    assert failed.status is Status.FAIL
