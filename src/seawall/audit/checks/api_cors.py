"""Whether pages of other origins may read what a signed-in person may (WHATWG Fetch, CORS)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.api_subject import (
    KINDS,
    curl,
    everything,
    if_answered,
    on_surface_and_routes,
    printable,
    references,
)
from seawall.audit.check import Answers, Check
from seawall.audit.http_facts import FOREIGN_ORIGIN, Request
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    answered = everything(target, answers)
    open_only: tuple[str, str] | None = None
    for request, reply in answered:
        allowed = reply.header("access-control-allow-origin").strip()
        credentials = reply.header("access-control-allow-credentials").strip().lower() == "true"
        if credentials and allowed in (FOREIGN_ORIGIN, "null"):
            yield _reflects(target, request, allowed)
            return
        if allowed == FOREIGN_ORIGIN and open_only is None:
            open_only = (request.path, allowed)
    if open_only:
        yield Finding(
            Status.FAIL,
            f"GET {printable(open_only[0])} allows the made-up origin {open_only[1]}, "
            "without credentials",
            _FIX,
            severity=Severity.LOW,
            key="without-credentials",
        )
    else:
        count = len(answered)
        yield Finding(
            Status.PASS, f"{count} answers allow the made-up origin {FOREIGN_ORIGIN} nothing"
        )


_FIX: Final = Fix(
    "Answer with an origin only if it is in a list of your own, compared as a whole; send no "
    "CORS headers at all if no other origin needs them."
)


def _reflects(target: Target, request: Request, allowed: str) -> Finding:
    asked = Request(request.path, request.method, (("Origin", FOREIGN_ORIGIN),))
    return Finding(
        Status.FAIL,
        f"{request.method} {printable(request.path)} allows the origin {allowed}, which the audit "
        "made up, with credentials",
        _FIX,
        reproduce=curl(target, asked),
        key="with-credentials",
    )


CHECK: Final = Check(
    id="api.cors.any-origin",
    title="Any web page may use the API as who is signed in",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "A person who is signed in opens a page of an attacker; its script asks this API with the "
        "person's cookies, reads the answers, and sends them on."
    ),
    references=references(942, 346, etsi=("5.5-4",)),
    jobs=on_surface_and_routes,
    judge=if_answered(_judge),
)
