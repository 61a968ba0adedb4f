"""Key exchange: forward secrecy, and groups that are large enough (RFC 9325)."""

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
from seawall.wire.tls_suites import SUITES, SuiteGroup

_STATIC: Final = Hello(TlsVersion.TLS_1_2, (SuiteGroup.STATIC_KEY,))


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    static = answers[_STATIC]
    if static.version is None:
        yield Finding(Status.PASS, "suites without forward secrecy are refused")
        return
    # That hello offers all suites, those with forward secrecy first.
    is_chosen = answers[NEWEST_HELLO].suite in SUITES[SuiteGroup.STATIC_KEY]
    line = setting(
        target, "ciphers ECDHE+AESGCM:ECDHE+CHACHA20", "ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;"
    )
    also = ", and is chosen beside those that have it" if is_chosen else ""
    yield Finding(
        Status.FAIL,
        f"{static.suite_name}, a suite without forward secrecy, was offered and taken{also}",
        Fix(f"Take suites with an ephemeral key exchange alone. {line}"),
        severity=Severity.MEDIUM if is_chosen else Severity.LOW,
        reproduce=s_client(target, "-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"),
    )


CHECK: Final = Check(
    id="tls.cipher.forward-secrecy",
    title="The server takes a key exchange without forward secrecy",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.MEDIUM,
    risk=Risk.READ,
    why=(
        "Whoever records the traffic and later gets the server's key, from a backup or a board "
        "on the scrap heap, reads all of it. The RSA key exchange has also been broken again and "
        "again by how servers answer to bad padding (Bleichenbacher, ROBOT)."
    ),
    references=references(326, 327),
    jobs=asking(SESSION, NEWEST_HELLO, _STATIC),
    judge=over_tls(_judge),
)
