"""Open ports that nobody declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job, Unobserved
from seawall.audit.host_subject import (
    KINDS,
    PortsSeen,
    all_ports,
    ports_seen,
    silent_words,
    sureness,
    unseen_words,
)
from seawall.audit.probes.ports import NmapScan
from seawall.audit.services import MAX_PORTS, Service, ports_to_ask
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status


def _jobs(target: Target) -> Sequence[Job[Any]]:
    scan = [_scan(target)] if target.access.use_nmap else []
    return [*all_ports(target), *scan]


def _scan(target: Target) -> NmapScan:
    return NmapScan(ports_to_ask(target.access.expect_ports))


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    seen = ports_seen(target, answers)
    expected = target.access.expect_ports or ()
    named = _named(target, answers)
    undeclared = [service for service in seen.services if service.port not in expected]
    for service in undeclared:
        yield _undeclared(target, named.get(service.port, service))
    questions = list(_questions(seen, expected))
    yield from questions
    if not undeclared and not questions:
        yield Finding(Status.PASS, _all_declared(seen, expected), confidence=sureness(seen))


def _questions(seen: PortsSeen, expected: tuple[int, ...]) -> Iterator[Finding]:
    if seen.unseen:
        yield Finding(Status.UNKNOWN, unseen_words(seen.unseen), key="unseen")
    if too_many := len(set(expected) - set(ports_to_ask(expected))):
        reason = f"{too_many} declared ports were not asked: at most {MAX_PORTS} of a host are"
        yield Finding(Status.UNKNOWN, reason, key="unasked")


def _named(target: Target, answers: Answers) -> dict[int, Service]:
    """Return nmap's names for services; where it did not end, our own serve."""
    if not target.access.use_nmap:
        return {}
    try:
        return {service.port: service for service in answers[_scan(target)]}
    except Unobserved:
        return {}


def _undeclared(target: Target, service: Service) -> Finding:
    ports = ",".join(map(str, sorted({*(target.access.expect_ports or ()), service.port})))
    return Finding(
        Status.FAIL,
        f"{service.text} is open, and not declared",
        Fix(
            f"Stop what listens there (`sudo ss -ltnp 'sport = :{service.port}'` on the host shows "
            f"it), or keep others out by a firewall. If it is meant, audit with "
            f"--expect-ports {ports}."
        ),
        reproduce=f"nc -v -w 3 {target.host} {service.port} </dev/null",
        key=str(service.port),
    )


def _all_declared(seen: PortsSeen, expected: tuple[int, ...]) -> str:
    shown = ", ".join(str(service.port) for service in seen.services) or "none"
    missing = [str(port) for port in expected if port in seen.closed]
    absent = f"; declared and not open: {', '.join(missing)}" if missing else ""
    said = f"of {seen.asked} ports that were asked, open are {shown}, as declared{absent}"
    return said + silent_words(seen.silent)


CHECK: Final = Check(
    id="host.ports.undeclared",
    title="A port is open that nobody declared",
    item=Item.SERVICES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "Each open port is a program that takes what strangers send. One that nobody knows of is "
        "one that nobody renews, and often left over from development, with a password to match."
    ),
    references=References(
        owasp=("I2",),
        etsi=("5.6-1", "5.6-2"),
        nist=("LA",),
        cwe=(1125, 284),
    ),
    jobs=_jobs,
    judge=_judge,
    needs=("expect_ports",),
)
