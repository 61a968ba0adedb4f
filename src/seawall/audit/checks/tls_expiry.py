"""Whether the server's certificate is valid today, and will be for a while."""

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

SOON: Final = timedelta(days=14)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    report, now = server_certificate(answers), answers.now
    begins, ends = f"{report.not_before:%Y-%m-%d}", f"{report.not_after:%Y-%m-%d}"
    days = (report.not_after - now) // timedelta(days=1)
    if now > report.not_after:
        fault, severity, key = f"expired on {ends}", Severity.HIGH, "expired"
    elif now < report.not_before:
        fault, severity, key = f"not valid before {begins}", Severity.HIGH, "not-yet"
    elif report.not_after - now < SOON:
        fault, severity, key = f"expires on {ends}, in {days} days", Severity.MEDIUM, "soon"
    else:
        yield Finding(Status.PASS, f"valid until {ends}, for {days} days more")
        return
    yield Finding(
        Status.FAIL,
        f"the certificate is {fault}" if key != "soon" else f"the certificate {fault}",
        new_certificate(target, "Renew the certificate, and have it renewed by itself hereafter."),
        severity=severity,
        reproduce=f"{s_client(target)} </dev/null | openssl x509 -noout -dates",
        key=key,
    )


CHECK: Final = Check(
    id="tls.certificate.expiry",
    title="The server's certificate is out of date, or soon will be",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Devices that check dates are cut off the day it expires, all at once, and cannot be told "
        "anything any more. Devices that go on talking check nothing at all."
    ),
    references=references(298, 324),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
