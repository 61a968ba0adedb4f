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
    references,
    routes,
    shown,
    surface,
)
from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.http_facts import Reply, Request, WalkFacts
from seawall.audit.openapi import Route
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


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[routes(target)]
    walked = answers[surface(target)]
    closed = is_open = 0
    for route in facts.routes:
        try:
            reply = facts.walk[Request(route.path)]
        except Unobserved:
            continue
        if _answers(route, reply, walked):
            is_open += 1
            yield _open(target, route, reply)
        elif reply.status in _CLOSED or _LOGIN.search(reply.redirect_of("http://x/")):
            closed += 1
    if is_open:
        return
    unanswered = facts.walk.unanswered()
    is_described = any(route.declares_login is not None for route in facts.routes)
    if closed and not (unanswered and is_described):
        count = len(facts.routes)
        yield Finding(Status.PASS, f"{closed} of {count} routes ({facts.source}) ask for a login")
    elif unanswered and is_described:
        yield Finding(Status.UNKNOWN, f"{unanswered[0][0].path}: {unanswered[0][1]}", key="unseen")
    else:
        yield _nothing_there(target, answers, facts.source)


def _answers(route: Route, reply: Reply, walked: WalkFacts) -> bool:
    if route.declares_login is False or not reply.is_ok:
        return False
    if route.declares_login is None and route.path.rsplit("/", 1)[-1].lower() in _PUBLIC:
        return False
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


def _nothing_there(target: Target, answers: Answers, source: str) -> Finding:
    first = pages(target, answers)[0][1]
    if first.status in _CLOSED:
        return Finding(Status.PASS, f"the first page asks for a login ({first.status})")
    return Finding(
        Status.UNKNOWN, f"none of {source} is there: name the API's description with --openapi"
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
