"""Headers by which a browser protects who uses it (OWASP Secure Headers, RFC 6797)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from seawall.audit.api_subject import (
    KINDS,
    curl,
    if_answered,
    on_surface,
    pages,
    printable,
    references,
)
from seawall.audit.check import Answers, Check
from seawall.audit.http_facts import Reply
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_LEAST_HSTS_S: Final = 180 * 24 * 3600
_MAX_AGE: Final = re.compile(r"max-age\s*=\s*\"?(\d{1,12})", re.IGNORECASE)
_LINES: Final = {
    "content-security-policy": "Content-Security-Policy: default-src 'self'",
    "x-frame-options": "X-Frame-Options: DENY",
    "x-content-type-options": "X-Content-Type-Options: nosniff",
    "strict-transport-security": "Strict-Transport-Security: max-age=31536000",
}


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    # The page that a person sees says most; what only sends elsewhere says least.
    request, reply = pages(target, answers)[-1]
    missing = list(_missing(target, reply))
    for name in missing:
        value = reply.header(name)
        has = f"{name}: {printable(value)}, which is not enough" if value else f"no {name}"
        yield Finding(
            Status.FAIL,
            f"GET {printable(request.path)} ({reply.status}): {has}",
            Fix(f"Send with each answer: `{_LINES[name]}`."),
            reproduce=curl(target, request),
            key=name,
        )
    if not missing:
        yield Finding(Status.PASS, f"GET {printable(request.path)} carries all that it should")


def _missing(target: Target, reply: Reply) -> Iterator[str]:
    policy = reply.header("content-security-policy")
    if reply.is_html:
        if not policy:
            yield "content-security-policy"
        if "frame-ancestors" not in policy and not reply.header("x-frame-options"):
            yield "x-frame-options"
    if reply.body and reply.header("x-content-type-options").strip().lower() != "nosniff":
        yield "x-content-type-options"
    if target.uses_tls and _is_public_name(target.host):
        found = _MAX_AGE.search(reply.header("strict-transport-security"))
        if found is None or int(found[1]) < _LEAST_HSTS_S:
            yield "strict-transport-security"


def _is_public_name(host: str) -> bool:
    """Tell whether HSTS has a meaning: not for addresses (RFC 6797, section 8.1.1)."""
    try:
        ip_address(host)
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
    return False


CHECK: Final = Check(
    id="api.headers.missing",
    title="Headers that protect people's browsers are missing",
    item=Item.INTERFACES,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "Without them, a name that a device was given runs as a script in the page that shows it, "
        "a foreign page puts this one under its own buttons, and the first request goes out in "
        "plain text. They do not mend a fault, they keep it from being used."
    ),
    references=references(693, 1021, 319, etsi=("5.5-1",)),
    jobs=on_surface,
    judge=if_answered(_judge),
)
