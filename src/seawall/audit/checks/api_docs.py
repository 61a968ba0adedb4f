"""Whether the API's description is shown to everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    DOCS,
    KINDS,
    curl,
    if_answered,
    is_like_missing,
    on_surface,
    references,
    shown,
    surface,
    verdict,
)
from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.http_facts import Reply
from seawall.audit.openapi import DescriptionError, read_routes
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_PAGES: Final = ("swagger-ui", "redoc", "rapidoc", "swaggeruibundle", "stoplight")


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    facts = answers[surface(target)]
    is_shown = False
    for request in DOCS:
        try:
            reply = facts[request]
        except Unobserved:
            continue
        if _describes(reply) and not is_like_missing(facts, reply):
            is_shown = True
            yield Finding(
                Status.FAIL,
                f"without a login, {shown(request, reply)}: the API's description",
                Fix(
                    "Put it behind the login, or leave it out of what is deployed (FastAPI: "
                    "`docs_url=None, redoc_url=None, openapi_url=None`)."
                ),
                reproduce=curl(target, request),
                key=request.path,
            )
    if not is_shown:
        yield verdict(facts, DOCS, "no description of the API is shown without a login")


def _describes(reply: Reply) -> bool:
    if not reply.is_ok:
        return False
    if reply.is_html:
        text = reply.text.lower()
        return any(word in text for word in _PAGES)
    try:
        return bool(read_routes(reply.body))
    except DescriptionError:
        return False


CHECK: Final = Check(
    id="api.exposure.docs",
    title="The API's description is shown without a login",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "It is a map: all routes, what they take, and those that nobody was meant to find. No "
        "weakness by itself, it saves an attacker the search for one."
    ),
    references=references(200, etsi=("5.6-2",)),
    jobs=on_surface,
    judge=if_answered(_judge),
)
