"""Cipher suites that protect nothing, or not enough (RFC 7465, RFC 9325)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

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
from seawall.wire.tls_suites import SuiteGroup


class _Fault(NamedTuple):
    severity: Severity
    words: str
    pattern: str = ""  # of OpenSSL, if it still has them


_FAULTS: Final = {
    SuiteGroup.NULL: _Fault(Severity.CRITICAL, "without encryption", "NULL"),
    SuiteGroup.ANONYMOUS: _Fault(Severity.CRITICAL, "without a certificate", "aNULL"),
    SuiteGroup.EXPORT: _Fault(Severity.HIGH, "with keys of 40 to 56 bits"),
    SuiteGroup.RC4: _Fault(Severity.HIGH, "with RC4"),
    SuiteGroup.TRIPLE_DES: _Fault(Severity.MEDIUM, "with blocks of 64 bits (3DES, IDEA)"),
}
_HELLOS: Final = {group: Hello(TlsVersion.TLS_1_2, (group,)) for group in _FAULTS}


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    unseen, refused = [], 0
    for group, hello in _HELLOS.items():
        try:
            flight = answers[hello]
        except Unobserved as missing:
            unseen.append(f"{group}: {missing.reason}")
            continue
        if flight.version is None:
            refused += 1
        else:
            yield _accepted(target, group, flight.suite_name)
    if unseen:
        yield Finding(Status.UNKNOWN, "; ".join(unseen), key="unseen")
    elif refused == len(_FAULTS):
        yield Finding(Status.PASS, "NULL, anonymous, export, DES, RC4 and 3DES suites are refused")


def _accepted(target: Target, group: SuiteGroup, suite: str) -> Finding:
    fault = _FAULTS[group]
    line = setting(
        target,
        "ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
        "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;",
    )
    return Finding(
        Status.FAIL,
        f"{suite}, a suite {fault.words}, was offered and taken",
        Fix(f"Take suites with forward secrecy and authenticated encryption alone. {line}"),
        severity=fault.severity,
        reproduce=s_client(target, "-tls1_2", "-cipher", f"{fault.pattern}:@SECLEVEL=0")
        if fault.pattern
        else enumeration(target),
        key=group.value,
    )


CHECK: Final = Check(
    id="tls.cipher.weak",
    title="The server takes a cipher suite that protects too little",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Without encryption, everybody in the way reads; without a certificate, everybody in the "
        "way is the server. Export keys and DES are broken in hours, RC4 leaks what is sent "
        "often, and 3DES leaks after some gigabytes (Sweet32)."
    ),
    references=references(326, 327),
    jobs=asking(SESSION, NEWEST_HELLO, *_HELLOS.values()),
    judge=over_tls(_judge),
)
