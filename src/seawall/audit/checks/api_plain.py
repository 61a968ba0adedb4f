"""Whether an API is spoken to in plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from seawall.audit.api_subject import KINDS, curl, on_surface, references, root_of, surface
from seawall.audit.check import Answers, Check, Job, Unobserved
from seawall.audit.http_facts import Reply, Request
from seawall.audit.probes.http import PlainKnock, origin_of
from seawall.audit.target import Target
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status

_KNOCK: Final = PlainKnock()


def _jobs(target: Target) -> Sequence[Job[Any]]:
    knock = (_KNOCK,) if target.uses_tls and target.port == 443 else ()
    return (*on_surface(target), *knock)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    reply = answers[surface(target)][root_of(target)]  # or nobody knows what is spoken there
    if not target.uses_tls:
        yield _judge_reply(target, reply, origin_of(target), root_of(target))
    elif target.port != 443:
        yield Finding(Status.PASS, "the interface is spoken to by TLS")
    else:
        try:
            reply = answers[_KNOCK]
        except Unobserved as missing:
            if "refused" not in missing.reason:
                raise
            yield Finding(Status.PASS, "port 80 is closed")
            return
        plain = Target(target.kind, target.name, target.host, 80)
        yield _judge_reply(plain, reply, origin_of(plain), Request("/"))


def _judge_reply(target: Target, reply: Reply, origin: str, request: Request) -> Finding:
    sent_to = reply.redirect_of(origin + request.path)
    if sent_to.startswith("https://"):
        return Finding(Status.PASS, f"plain HTTP is answered with {reply.status} to HTTPS")
    return Finding(
        Status.FAIL,
        f"{origin}{request.path} is answered in plain HTTP with {reply.status}",
        Fix(
            "Serve HTTPS, and answer plain HTTP with nothing but a redirect, in nginx: "
            "`return 308 https://$host$request_uri;`."
        ),
        reproduce=curl(target, request),
    )


CHECK: Final = Check(
    id="api.transport.plain",
    title="The interface is spoken to in plain HTTP",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Everybody in the way, in the same Wi-Fi for one, reads passwords, tokens and readings, "
        "and changes what is answered: a setting, or an update."
    ),
    references=references(319, etsi=("5.5-1", "5.5-7"), item=Item.TRANSFER_AND_STORAGE),
    jobs=_jobs,
    judge=_judge,
)
