"""Whether the certificates are signed with a hash that still holds."""

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
    new_certificate,
    over_tls,
    read_certificate,
    references,
    s_client,
    served_certificates,
)
from seawall.model.finding import Finding, Item, Risk, Severity, Status

_WEAK: Final = {"md2": Severity.HIGH, "md5": Severity.HIGH, "sha1": Severity.MEDIUM}


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    is_weak = False
    reports = [read_certificate(der) for der in served_certificates(answers)]
    for number, report in enumerate(reports):
        if number and report.is_self_signed:
            continue  # a root is trusted for where it stands, not for its signature
        if report.signature_hash in _WEAK:
            is_weak = True
            whose = "the server's certificate" if number == 0 else f"that of {report.subject}"
            yield Finding(
                Status.FAIL,
                f"{whose} is signed with {report.signature_hash.upper()}",
                new_certificate(target, "Have it signed anew, with SHA-256 or better."),
                severity=_WEAK[report.signature_hash],
                reproduce=f"{s_client(target)} </dev/null | openssl x509 -noout -text",
                key=str(number),
            )
    hashed = reports[0].signature_hash.upper()
    if not is_weak and not hashed:
        yield Finding(Status.UNKNOWN, "the certificate's signature is of a kind that is not known")
    elif not is_weak:
        yield Finding(Status.PASS, f"the server's certificate is signed with {hashed}")


CHECK: Final = Check(
    id="tls.certificate.signature",
    title="A certificate is signed with a broken hash",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "Two certificates with one MD5 or SHA-1 have been made: who gets an innocent one signed "
        "has a signature for another that is not. TLS libraries of today refuse both."
    ),
    references=references(327, 328),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
