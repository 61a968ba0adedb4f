"""Versions of TLS that nobody should take any more (RFC 7568, RFC 8996)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.probes.tls import Hello
from seawall.audit.target import Target
from seawall.audit.tls_subject import (
    KINDS,
    NEWEST_HELLO,
    SESSION,
    asking,
    demand_tls,
    enumeration,
    over_tls,
    references,
    s_client,
    setting,
)
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status
from seawall.wire.tls_hello import TlsVersion

_OLD: Final = {
    TlsVersion.SSL_3_0: (Severity.HIGH, ""),
    TlsVersion.TLS_1_0: (Severity.MEDIUM, "-tls1"),
    TlsVersion.TLS_1_1: (Severity.MEDIUM, "-tls1_1"),
}
_HELLOS: Final = {version: Hello(version) for version in _OLD}


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    refused, unseen = [], []
    accepted: dict[TlsVersion, str] = {}
    for version, hello in _HELLOS.items():
        try:
            flight = answers[hello]
        except Unobserved as missing:
            unseen.append(f"{version.text}: {missing.reason}")
            continue
        if flight.version is None or flight.version > version:
            refused.append(version.text)
        elif flight.version in _OLD:
            accepted.setdefault(TlsVersion(flight.version), flight.suite_name)
        else:
            unseen.append(f"{version.text}: answered with version {flight.version:#06x}")
    for version, suite in accepted.items():
        yield _accepted(target, version, suite)
    if unseen:
        yield Finding(Status.UNKNOWN, "; ".join(unseen), key="unseen")
    elif len(refused) == len(_OLD):
        newest = _newest(answers)
        yield Finding(Status.PASS, f"{', '.join(refused)} are refused; {newest} is spoken")


def _accepted(target: Target, version: TlsVersion, suite: str) -> Finding:
    severity, option = _OLD[version]
    line = setting(target, "tls_version tlsv1.2", "ssl_protocols TLSv1.2 TLSv1.3;")
    return Finding(
        Status.FAIL,
        f"a ClientHello of {version.text} was answered with {version.text} and {suite}",
        Fix(f"Take TLS 1.2 and later alone. {line}"),
        severity=severity,
        reproduce=s_client(target, option, "-cipher", "ALL:@SECLEVEL=0")
        if option
        else enumeration(target),
        key=version.text,
    )


def _newest(answers: Answers) -> str:
    try:
        return answers[SESSION].version.replace("v", " ") or "TLS 1.2"
    except Unobserved:
        return "TLS 1.2"


CHECK: Final = Check(
    id="tls.protocol.old",
    title="The server takes an old version of TLS",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "SSL 3.0 is broken (POODLE), and TLS 1.0 and 1.1 rest on MD5, SHA-1 and CBC in an order "
        "that has been attacked (BEAST, Lucky 13). Whoever sits in the way can push a client "
        "that still offers them down to them. RFC 8996 forbids both."
    ),
    references=references(326, 327, 757),
    jobs=asking(SESSION, NEWEST_HELLO, *_HELLOS.values()),
    judge=over_tls(_judge),
)
