"""Whether the server's certificate lives too long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from seawall.audit.check import Answers, Check
from seawall.audit.target import Target
from seawall.audit.tls_subject import (
    KINDS,
    NEWEST_HELLO,
    SESSION,
    asking,
    new_certificate,
    over_tls,
    references,
    s_client,
    server_certificate,
)
from seawall.model.finding import Finding, Item, Risk, Severity, Status

LONGEST: Final = timedelta(days=5 * 365 + 2)
"""Public authorities give 398 days and less. For devices in the field, where the pinned
certificate and its successor must be known ahead, some years are no fault."""


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    report = server_certificate(answers)
    life = report.not_after - report.not_before
    if life <= LONGEST:
        yield Finding(Status.PASS, f"the certificate lives for {life.days} days")
        return
    yield Finding(
        Status.FAIL,
        f"the certificate lives for {life.days} days, more than {LONGEST.days}",
        new_certificate(target, "Use certificates of two years or less, renewed by a program."),
        reproduce=f"{s_client(target)} </dev/null | openssl x509 -noout -dates",
    )


CHECK: Final = Check(
    id="tls.certificate.lifetime",
    title="The server's certificate lives too long",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.LOW,
    risk=Risk.READ,
    why=(
        "A key that leaked serves whoever has it until the certificate ends; devices seldom read "
        "revocation lists. And what is renewed once in ten years is renewed by nobody who has "
        "done it before."
    ),
    references=references(324),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
