"""What the checks of a host have in common: its ports, each asked once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seawall.audit.check import Answers, Check, Job, Unobserved
from seawall.audit.probes.ports import PortsProbe, PortState
from seawall.audit.services import Service, ports_to_ask, usual_ports
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import (
    Confidence,
    Finding,
    Fix,
    Item,
    References,
    Risk,
    Severity,
    Status,
)

KINDS: Final = frozenset({TargetKind.HOST})
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class PortsSeen:
    """All ports that were to be asked.

    Attributes:
        services: What answers on the open ones.
        closed: Those that refuse.
        silent: Those from which nothing came back, asked again or not.
        unseen: Why others were not asked, by port.
    """

    services: tuple[Service, ...]
    closed: tuple[int, ...]
    silent: tuple[int, ...]
    unseen: dict[int, str]

    @property
    def asked(self) -> int:
        """Count of those that were asked."""
        return len(self.services) + len(self.closed) + len(self.silent)


def all_ports(target: Target) -> Sequence[Job[Any]]:
    """Ask for all ports."""
    return [_probe(target)]


def _probe(target: Target) -> PortsProbe:
    return PortsProbe(ports_to_ask(target.access.expect_ports))


def ports_seen(target: Target, answers: Answers) -> PortsSeen:
    """Gather what the ports said.

    Raises:
        Unobserved: nothing came back from any.
    """
    facts = answers[_probe(target)]
    unseen = dict(facts.unseen)
    silent = tuple(each.port for each in facts.ports if each.state is PortState.SILENT)
    if len(silent) == len(facts.ports):
        raise Unobserved(next(iter(unseen.values()), "") or "nothing came back from any port")
    services = tuple(each.service for each in facts.ports if each.service is not None)
    closed = tuple(each.port for each in facts.ports if each.state is PortState.CLOSED)
    return PortsSeen(services, closed, silent, unseen)


def unseen_words(unseen: dict[int, str]) -> str:
    """Return which ports were not asked, and why."""
    return f"ports {_some(list(unseen))}: {next(iter(unseen.values()))}"


def silent_words(silent: Sequence[int]) -> str:
    """Return which ports did not say whether they are open, after a semicolon; empty if none."""
    return f"; {len(silent)} stayed silent: {_some(silent)}" if silent else ""


def sureness(seen: PortsSeen) -> Confidence:
    """Return how sure it is that what was not found is not there."""
    return Confidence.MEDIUM if seen.silent else Confidence.HIGH


def _some(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports[:_SHOWN])) + (" …" if len(ports) > _SHOWN else "")


def service_check(
    *,
    name: str,
    title: str,
    services: frozenset[str],
    severity: Severity,
    why: str,
    fix: str,
    cwe: tuple[int, ...],
    item: Item = Item.SERVICES,
    worst: Callable[[Service], Severity | None] = lambda _: None,
) -> Check:
    """Return a check that fails where one of some services answers.

    Args:
        name: Last part of its id.
        title: Of the check.
        services: Names of `Service` that should not be there.
        severity: Of the check.
        why: Of the check.
        fix: What to do, in words.
        cwe: Of the references.
        item: Of the check.
        worst: A severity for a service in particular.
    """

    def judge(target: Target, answers: Answers) -> Iterable[Finding]:
        return _judge_services(ports_seen(target, answers), services, Fix(fix), worst, target)

    return Check(
        id=f"host.service.{name}",
        title=title,
        item=item,
        kinds=KINDS,
        severity=severity,
        risk=Risk.READ,
        why=why,
        references=References(
            owasp=(f"I{item.value}",),
            etsi=("5.6-1", "5.6-5"),
            nist=("LA",),
            cwe=cwe,
        ),
        jobs=all_ports,
        judge=judge,
    )


def _judge_services(
    seen: PortsSeen,
    names: frozenset[str],
    fix: Fix,
    worst: Callable[[Service], Severity | None],
    target: Target,
) -> Iterator[Finding]:
    found = [service for service in seen.services if service.name in names]
    for service in found:
        yield Finding(
            Status.FAIL,
            f"{service.text} answers" + (" without a password" if service.lets_in else ""),
            fix,
            severity=worst(service),
            confidence=Confidence.HIGH if service.is_certain else Confidence.LOW,
            reproduce=f"nc -v -w 3 {target.host} {service.port} </dev/null",
            key=str(service.port),
        )
    if found:
        return
    here = usual_ports(names)
    silent = [port for port in seen.silent if port in here]
    if seen.unseen:
        yield Finding(Status.UNKNOWN, unseen_words(seen.unseen), key="unseen")
    elif silent:
        reason = f"nothing came back from {_some(silent)}: dropped on the way, or too busy"
        yield Finding(Status.UNKNOWN, reason, key="unseen")
    else:
        text = f"none of {seen.asked} ports that were asked{silent_words(seen.silent)}"
        yield Finding(Status.PASS, text, confidence=sureness(seen))
