"""Cookies that scripts, other sites, or listeners can get at (RFC 6265)."""

from __future__ import annotations

import re
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
from seawall.audit.http_facts import Request
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_SIGNS_IN: Final = re.compile(r"(?i)sess|sid|auth|token|jwt|login|remember|user")
_FOR_SCRIPTS: Final = re.compile(r"(?i)csrf|xsrf")
"""A page's own script has to read these."""


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    names: set[str] = set()
    is_bad = False
    for request, reply in everything(target, answers):
        for cookie in reply.all_of("set-cookie"):
            name = cookie.partition("=")[0].strip()
            if name in names:
                continue
            names.add(name)
            if missing := _missing(name, cookie, target.uses_tls):
                is_bad = True
                yield _found(target, request, name, missing)
    if not is_bad:
        what = f"{len(names)} cookies carry" if len(names) != 1 else "the one cookie carries"
        text = f"{what} Secure, HttpOnly and SameSite" if names else "no cookie is set"
        yield Finding(Status.PASS, text)


def _missing(name: str, cookie: str, uses_tls: bool) -> list[str]:
    attributes = {part.partition("=")[0].strip().lower() for part in cookie.split(";")[1:]}
    wanted = ["SameSite"]
    if uses_tls:
        wanted.insert(0, "Secure")
    if not _FOR_SCRIPTS.search(name):
        wanted.insert(-1, "HttpOnly")
    return [each for each in wanted if each.lower() not in attributes]


def _found(target: Target, request: Request, name: str, missing: list[str]) -> Finding:
    return Finding(
        Status.FAIL,
        f"{request.method} {printable(request.path)} sets the cookie {printable(name, 60)} without "
        f"{', '.join(missing)}",
        Fix("Set it as `Set-Cookie: NAME=VALUE; Path=/; Secure; HttpOnly; SameSite=Lax`."),
        severity=Severity.MEDIUM if _SIGNS_IN.search(name) else Severity.LOW,
        reproduce=curl(target, request),
        key=name,
    )


CHECK: Final = Check(
    id="api.cookies.flags",
    title="A cookie can be had by scripts, other sites or listeners",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "Who has the cookie is signed in. Without HttpOnly a script in the page reads it, without "
        "Secure it goes out over plain HTTP, without SameSite it is sent along with requests that "
        "other sites make."
    ),
    references=references(614, 1004, 1275, etsi=("5.5-7",)),
    jobs=on_surface_and_routes,
    judge=if_answered(_judge),
)
