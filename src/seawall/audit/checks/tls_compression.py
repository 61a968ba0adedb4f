"""Compression below TLS leaks what is sent (CRIME, RFC 9325 section 3.3)."""

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
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    flight = answers[NEWEST_HELLO]
    if flight.version is None:
        yield Finding(Status.PASS, "TLS 1.2 and below are refused; TLS 1.3 has no compression")
    elif not flight.compression:
        yield Finding(Status.PASS, "DEFLATE was offered and not taken")
    else:
        yield Finding(
            Status.FAIL,
            f"DEFLATE was offered, and the server chose compression {flight.compression}",
            Fix("Turn compression off (`SSL_OP_NO_COMPRESSION`), or renew the TLS library."),
            reproduce=s_client(target, "-tls1_2", "-comp"),
        )


CHECK: Final = Check(
    id="tls.compression.on",
    title="The server compresses below TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "The size of what is sent tells what it repeats. Who can have a client send something of "
        "their own beside a secret, a page in a browser for one, finds the secret letter by letter "
        "(CRIME)."
    ),
    references=references(310),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
