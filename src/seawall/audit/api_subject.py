"""What the checks of HTTP interfaces have in common: what they ask, and how they read it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from seawall.audit.check import Answers, Job, Unobserved
from seawall.audit.http_facts import Reply, Request, WalkFacts
from seawall.audit.probes.http import Walk, WideWalk, origin_of
from seawall.audit.probes.http_routes import RouteWalk, WideRouteWalk
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Item, References, Status

KINDS: Final = frozenset({TargetKind.API})

Judge = Callable[[Target, Answers], Iterable[Finding]]
NOT_NOW: Final = frozenset({400, 408, 421, 425, 426, 429, 502, 503, 504})
"""Answers that say nothing of what was asked for (RFC 9110, 15.5 and 15.6; RFC 6585)."""

NOT_MADE: Final = "odd requests are not made: the audit is --read-only"

MISSING: Final = Request("/seawall-audit-asks-for-what-is-not-there")
ODD: Final = Request("/?seawall-audit=%27%22%3C&id=%00")
TRACE: Final = Request("/", "TRACE", (("X-Seawall-Audit", "echo"),))
GIT: Final = Request("/.git/HEAD")
ENVIRONMENT: Final = Request("/.env")
DOCS: Final = (Request("/docs"), Request("/openapi.json"), Request("/swagger.json"))
DEBUG: Final = (Request("/debug"), Request("/console"), Request("/actuator/env"))
FOLDERS: Final = (Request("/static/"), Request("/uploads/"))

# What matters most is asked first: a server that closes after each answer is asked less.
_ASKED: Final = (GIT, ENVIRONMENT, MISSING, *DOCS[:2], DEBUG[0], TRACE, *FOLDERS[:1], DEBUG[1])
_THEN: Final = (ODD, DEBUG[2], FOLDERS[1], DOCS[2])
_LEAVES_A_TRACE: Final = frozenset({TRACE, ODD})


def root_of(target: Target) -> Request:
    """Return the request for the first page."""
    return Request(target.base_path)


def surface(target: Target) -> Walk:
    """Return the walk that most checks share."""
    kind = Walk if target.uses_tls else WideWalk
    asked = dict.fromkeys((root_of(target), *_ASKED, *_THEN))
    return kind(tuple(each for each in asked if not is_left_out(target, each)))


def is_left_out(target: Target, request: Request) -> bool:
    """Tell whether a request is not made, because it is odd and the audit only reads."""
    return request in _LEAVES_A_TRACE and not target.access.may_write


def routes(target: Target) -> RouteWalk:
    """Return the walk over the API's routes."""
    return RouteWalk() if target.uses_tls else WideRouteWalk()


def on_surface(target: Target) -> Sequence[Job[Any]]:
    """Ask for the shared walk alone."""
    return (surface(target),)


def on_surface_and_routes(target: Target) -> Sequence[Job[Any]]:
    """Ask for the shared walk and the routes."""
    return (surface(target), routes(target))


def pages(target: Target, answers: Answers) -> list[tuple[Request, Reply]]:
    """Return the first page, and where it sends to; at least one.

    Raises:
        Unobserved: the first page was not answered.
    """
    facts = answers[surface(target)]
    root = root_of(target)
    first = facts[root]
    asked = set(surface(target).requests)
    return [(root, first)] + [(ask, got) for ask, got in facts.answered() if ask not in asked]


def if_answered(judge: Judge) -> Judge:
    """Wrap a judge: who answers everything with an error has not been seen at all.

    So does nginx that is asked in plain HTTP for what it serves by TLS (400), or a proxy
    without a server behind it (502): what is not shown then may be there all the same.
    """

    def judged(target: Target, answers: Answers) -> Iterable[Finding]:
        for finding in judge(target, answers):
            if finding.status is Status.PASS and (reason := _useless(answers[surface(target)])):
                yield Finding(Status.UNKNOWN, reason, key="unseen")
            else:
                yield finding

    return judged


def _useless(facts: WalkFacts) -> str:
    statuses = sorted({reply.status for _, reply in facts.answered()})
    if any(status < 500 and status not in NOT_NOW for status in statuses):
        return ""
    shown = ", ".join(map(str, statuses[:3]))
    return f"every request was answered with {shown}: nothing of the interface was seen"


def everything(target: Target, answers: Answers) -> list[tuple[Request, Reply]]:
    """Return all that was answered, the routes' answers too.

    Raises:
        Unobserved: nothing was answered.
    """
    found = answers[surface(target)].answered()
    try:
        return found + answers[routes(target)].walk.answered()
    except Unobserved:
        return found


def is_like_missing(facts: WalkFacts, reply: Reply) -> bool:
    """Tell whether this is what the server says to any path: it shows nothing then."""
    try:
        missing = facts[MISSING]
    except Unobserved:
        return False
    if missing.status != reply.status or missing.media_type != reply.media_type:
        return False
    return reply.is_ok and abs(len(missing.body) - len(reply.body)) <= max(
        64, len(reply.body) // 20
    )


def verdict(facts: WalkFacts, asked: Sequence[Request], nothing: str) -> Finding:
    """Return the finding when nothing bad was seen: a pass, if all was asked and answered."""
    if any(request not in facts.replies for request in asked):
        return Finding(Status.UNKNOWN, NOT_MADE, key="unseen")
    open_questions = [reason for request, reason in facts.unanswered() if request in asked]
    open_questions += [
        f"{request.method} {request.path} was answered with {reply.status}"
        for request, reply in facts.answered()
        if request in asked and request != ODD and reply.status in NOT_NOW
    ]
    if open_questions:
        more = f" and {len(open_questions) - 1} more" if len(open_questions) > 1 else ""
        return Finding(Status.UNKNOWN, f"{open_questions[0]}{more}", key="unseen")
    return Finding(Status.PASS, nothing)


# Words


def shown(request: Request, reply: Reply) -> str:
    """Return what was asked and answered, without the content."""
    size = f"{len(reply.body)} bytes" if reply.is_whole else f"{len(reply.body)} bytes and more"
    kind = f"{reply.media_type}, " if reply.media_type else ""
    return f"{request.method} {printable(request.path)}: {reply.status}, {kind}{size}"


def printable(text: str, most: int = 120) -> str:
    """Return what a stranger sent in a form that is safe to print."""
    kept = "".join(c if c.isprintable() else "?" for c in text[:most])
    return kept + ("…" if len(text) > most else "")


def curl(target: Target, request: Request) -> str:
    """Return the command that asks the same."""
    words = ["curl", "-sik", "--path-as-is"]
    words += ["-X", request.method] if request.method != "GET" else []
    for name, value in request.headers:
        words += ["-H", f"{name}: {value}"]
    return shlex.join([*words, origin_of(target) + request.path])


def references(
    *cwe: int, etsi: tuple[str, ...] = ("5.6-1",), item: Item = Item.INTERFACES
) -> References:
    """Return where standards speak of interfaces."""
    nist = ("DP",) if item is Item.TRANSFER_AND_STORAGE else ("LA",)
    return References(owasp=(f"I{item.value}",), etsi=etsi, nist=nist, cwe=cwe)
