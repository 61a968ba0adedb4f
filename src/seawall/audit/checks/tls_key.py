"""Whether the server's key is strong enough (NIST SP 800-57, RFC 9325)."""

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
from seawall.pki.inspection import CertificateReport

MIN_BITS: Final = {"RSA": 2048, "EC": 256, "Ed25519": 256, "Ed448": 448}
_BROKEN_RSA_BITS: Final = 768  # factored in public in 2009


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    reports = [read_certificate(der) for der in served_certificates(answers)]
    weak = [(n, report) for n, report in enumerate(reports) if _is_weak(report)]
    for number, report in weak:
        whose = "the server's key" if number == 0 else f"the key of {report.subject}"
        is_broken = report.key_kind == "RSA" and report.key_bits <= _BROKEN_RSA_BITS
        yield Finding(
            Status.FAIL,
            f"{whose} is {_words(report)}; {_wanted(report)}",
            new_certificate(target, "Use a key on the curve P-256."),
            severity=Severity.CRITICAL if is_broken else None,
            reproduce=f"{s_client(target)} </dev/null | openssl x509 -noout -text",
            key=str(number),
        )
    if not weak:
        if reports[0].key_kind == "unknown":
            yield Finding(Status.UNKNOWN, "the server's key is of a kind that cannot be read")
        else:
            yield Finding(Status.PASS, f"the server's key is {_words(reports[0])}")


def _is_weak(report: CertificateReport) -> bool:
    if report.key_kind == "unknown":
        return False
    return report.key_bits < MIN_BITS.get(report.key_kind, 1 << 30)


def _words(report: CertificateReport) -> str:
    curve = f" ({report.curve})" if report.curve else ""
    return f"{report.key_kind} of {report.key_bits} bits{curve}"


def _wanted(report: CertificateReport) -> str:
    least = MIN_BITS.get(report.key_kind)
    return f"at least {least} are needed" if least else "nobody should use these any more"


CHECK: Final = Check(
    id="tls.certificate.key",
    title="The server's key is too small",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "A small key can be computed from the certificate, which everybody is shown; RSA of 512 "
        "bits falls in hours on rented machines. Who has it is the server."
    ),
    references=references(326),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
