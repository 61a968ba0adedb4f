"""Whether routes of an API answer to somebody who did not sign in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    KINDS,
    curl,
    is_like_missing,
    on_surface_and_routes,
    pages,
    printable,
    references,
    routes,
    shown,
    surface,
)
from seawall.audit.check import Answers, Check
from seawall.audit.http_facts import Reply, Request, WalkFacts
from seawall.audit.openapi import Route
from seawall.audit.probes.http_routes import RouteFacts
from seawall.audit.target import Target
from seawall.model.finding import Confidence, Finding, Fix, Item, Risk, Severity, Status

_PUBLIC: Final = frozenset(
    {"health", "healthz", "readyz", "livez", "ready", "live", "ping", "version", "login", "signin"}
    | {"openapi.json", "swagger.json", "robots.txt", "favicon.ico", "token", "docs", "redoc"}
)
"""Last parts of paths that may answer everybody, unless their description says otherwise."""
_LOGIN: Final = re.compile(r"log[-_]?[io]n|sign[-_]?in|auth|sso|oauth|openid|saml", re.IGNORECASE)
"""In where one is sent to: to another host, or to HTTPS, everybody may be."""
_CLOSED: Final = frozenset({401, 403, 407})
_MISSING: Final = frozenset({404, 405, 410, 501})
"""No such route is there to read; of one that is described: and nobody asked for a login first."""


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[routes(target)]
    walked = answers[surface(target)]
    closed = is_open = 0
    doubts: list[str] = []
    for route in facts.routes:
        if not _is_for_some(route):
            continue
        reply = facts.walk.replies.get(Request(route.path), "not asked: there are too many")
        if isinstance(reply, str):
            if not (facts.is_guessed and reply.startswith("not asked")):
                doubts.append(f"{printable(route.path)}: {reply}")
        elif _answers(reply, walked):
            is_open += 1
            yield _open(target, route, reply)
        elif reply.status in _CLOSED or _LOGIN.search(reply.redirect_of("http://x/")):
            closed += 1
        elif not (facts.is_guessed and _is_missing(reply, walked)):
            doubts.append(f"{printable(route.path)} was answered with {reply.status}")
    if is_open:
        return
    if closed and not doubts:
        yield Finding(Status.PASS, f"{closed} of {closed} routes ({facts.source}) ask for a login")
    elif doubts:
        count = closed + len(doubts)
        told = f"{closed} of {count} routes ({facts.source}) ask for a login; {doubts[0]}"
        more = f", and {len(doubts) - 1} more do not say" if len(doubts) > 1 else ""
        yield Finding(Status.UNKNOWN, told + more, key="unseen")
    else:
        yield _nothing_there(target, answers, facts)


def _is_for_some(route: Route) -> bool:
    """Tell whether a route should ask for a login, as far as anybody says."""
    is_public = route.path.rsplit("/", 1)[-1].lower() in _PUBLIC
    return route.declares_login or (route.declares_login is None and not is_public)


def _is_missing(reply: Reply, walked: WalkFacts) -> bool:
    return reply.status in _MISSING or is_like_missing(walked, reply)


def _answers(reply: Reply, walked: WalkFacts) -> bool:
    return reply.is_data and not is_like_missing(walked, reply)


def _open(target: Target, route: Route, reply: Reply) -> Finding:
    declared = ", though its description says that it needs a login" if route.declares_login else ""
    request = Request(route.path)
    return Finding(
        Status.FAIL,
        f"without a token, {shown(request, reply)}{declared}",
        Fix(
            "Ask for a token in front of all routes, and name those that are open; a route that "
            "somebody adds is then closed. If this one is meant for everybody, say so in the "
            "API's description (`security: []`) and audit with --openapi."
        ),
        confidence=Confidence.HIGH if route.declares_login else Confidence.MEDIUM,
        reproduce=curl(target, request),
        key=route.path,
    )


def _nothing_there(target: Target, answers: Answers, facts: RouteFacts) -> Finding:
    first = pages(target, answers)[0][1]
    if first.status in _CLOSED:
        return Finding(Status.PASS, f"the first page asks for a login ({first.status})")
    if not facts.is_guessed:
        return Finding(Status.UNKNOWN, f"by {facts.source}, no route needs a login")
    return Finding(
        Status.UNKNOWN,
        f"none of {facts.source} is there: name the API's description with --openapi",
    )


CHECK: Final = Check(
    id="api.access.open-route",
    title="A route answers without a token",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Programs find such routes within hours of their being reachable. Whatever they tell, "
        "where devices stand, when people are at home, what they are set to, everybody has; and a "
        "route that reads without a login often has one beside it that writes."
    ),
    references=references(306, 862, etsi=("5.5-4", "5.5-5")),
    jobs=on_surface_and_routes,
    judge=_judge,
)
