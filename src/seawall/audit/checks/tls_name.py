"""Whether the server's certificate is for the name that clients use (RFC 9525)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check
from seawall.audit.probes.tls import wanted_name
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
from seawall.pki.inspection import CertificateReport, matches_name

_SHOWN: Final = 4


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    name, report = wanted_name(target), server_certificate(answers)
    if matches_name(report, name):
        yield Finding(Status.PASS, f"the certificate is for {name}")
        return
    yield Finding(
        Status.FAIL,
        f"clients ask for {name}; the certificate is for {_names(report)}",
        new_certificate(target, f"Serve a certificate for {name} (or audit it by --name)."),
        reproduce=s_client(target, "-verify_hostname", name),
    )


def _names(report: CertificateReport) -> str:
    names = (*report.dns_names, *report.addresses)
    if not names:
        common = f", only the common name {report.common_name}" if report.common_name else ""
        return f"no name at all{common}"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


CHECK: Final = Check(
    id="tls.certificate.name",
    title="The server's certificate is for another name",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Clients that check names refuse this server, and people then turn the check off: from "
        "there on every certificate of the same authority, a stolen device's too, is the server."
    ),
    references=references(297),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
