"""Diffie-Hellman in a group that is too small (Logjam, RFC 9325 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check
from seawall.audit.probes.tls import Hello
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
    setting,
)
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status
from seawall.wire.tls_hello import TlsVersion

MIN_BITS: Final = 2048
BROKEN_BITS: Final = 1024
_DHE: Final = Hello(TlsVersion.TLS_1_2, finite_field=True)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    flight = answers[_DHE]
    if flight.version is None:
        yield Finding(Status.PASS, "suites with finite-field Diffie-Hellman are refused")
    elif flight.dh_bits is None:
        yield Finding(Status.UNKNOWN, f"{flight.suite_name} was taken, and no group was shown")
    elif flight.dh_bits >= MIN_BITS:
        yield Finding(Status.PASS, f"the Diffie-Hellman group has {flight.dh_bits} bits")
    else:
        line = setting(
            target,
            "ciphers ECDHE+AESGCM:ECDHE+CHACHA20",
            "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;",
        )
        yield Finding(
            Status.FAIL,
            f"{flight.suite_name} uses a Diffie-Hellman group of {flight.dh_bits} bits",
            Fix(f"Use elliptic curves, which are quicker as well. {line}"),
            severity=Severity.HIGH if flight.dh_bits <= BROKEN_BITS else Severity.MEDIUM,
            reproduce=s_client(target, "-tls1_2", "-cipher", "DHE:@SECLEVEL=0"),
        )


CHECK: Final = Check(
    id="tls.cipher.small-group",
    title="The server exchanges keys in a small group",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "The few groups of 1024 bits that everybody shares can be computed once and for all by "
        "somebody with means, and then each connection in minutes (Logjam). What was recorded "
        "is read as well."
    ),
    references=references(326),
    jobs=asking(SESSION, NEWEST_HELLO, _DHE),
    judge=over_tls(_judge),
)
