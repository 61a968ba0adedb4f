"""Renegotiation that is not bound to its connection (RFC 5746)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.audit.tls_subject import (
    KINDS,
    NEWEST_HELLO,
    SESSION,
    asking,
    demand_tls,
    over_tls,
    references,
    s_client,
)
from seawall.model.finding import Confidence, Finding, Fix, Item, Risk, Severity, Status


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    flight = answers[NEWEST_HELLO]
    if flight.version is None:
        yield Finding(Status.PASS, "TLS 1.2 and below are refused; TLS 1.3 never renegotiates")
    elif flight.renegotiates_securely:
        yield Finding(Status.PASS, "the renegotiation extension of RFC 5746 was answered")
    else:
        yield Finding(
            Status.FAIL,
            "the renegotiation extension of RFC 5746 was offered and not answered",
            Fix("Renew the TLS library (all since 2010 answer it), or turn renegotiation off."),
            confidence=Confidence.MEDIUM,  # it may not renegotiate at all
            reproduce=s_client(target, "-tls1_2"),
        )


CHECK: Final = Check(
    id="tls.renegotiation.insecure",
    title="The server does not know secure renegotiation",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "Somebody in the way begins a connection, sends what they like, and lets the client's own "
        "handshake follow as a renegotiation: the server takes both for one. A server without "
        "RFC 5746 is also one that has not been renewed for very long."
    ),
    references=references(310, etsi=("5.5-1",)),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
