"""The method TRACE, which sends back what it was sent (RFC 9110, section 9.3.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    KINDS,
    NOT_MADE,
    TRACE,
    curl,
    if_answered,
    is_left_out,
    on_surface,
    references,
    shown,
    surface,
)
from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    if is_left_out(target, TRACE):
        yield Finding(Status.UNKNOWN, NOT_MADE)
        return
    reply = answers[surface(target)][TRACE]
    echoes = "x-seawall-audit" in reply.text.lower()
    if not (reply.is_ok and (echoes or reply.media_type == "message/http")):
        yield Finding(Status.PASS, f"TRACE is answered with {reply.status}")
        return
    yield Finding(
        Status.FAIL,
        f"{shown(TRACE, reply)}; the headers of the request come back",
        Fix("Refuse the method, in Apache: `TraceEnable off`; nginx and others know it not."),
        reproduce=curl(target, TRACE),
    )


CHECK: Final = Check(
    id="api.methods.trace",
    title="TRACE sends back what it was sent",
    item=Item.DEFAULTS,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "Headers that a proxy adds, and cookies that scripts must not read, stand in the answer "
        "for who asks. Nobody needs it on a deployed server."
    ),
    references=references(693, 200, item=Item.DEFAULTS),
    jobs=on_surface,
    judge=if_answered(_judge),
)
