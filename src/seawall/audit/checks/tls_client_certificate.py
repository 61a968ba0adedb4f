"""Whether the server lets clients in that show no certificate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.probes.tls import CLOSED, Session
from seawall.audit.target import Target, TargetKind
from seawall.audit.tls_subject import (
    NEWEST_HELLO,
    SESSION,
    asking,
    demand_tls,
    over_tls,
    s_client,
    setting,
)
from seawall.model.finding import Finding, Fix, Item, References, Risk, Severity, Status

_UP_TO_1_2: Final = Session(up_to_1_2=True)


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    demand_tls(answers)
    if demanded := _demanded(answers):
        yield Finding(Status.PASS, demanded)
    elif target.access.cert is None:
        yield Finding(
            Status.NOT_APPLICABLE,
            "no certificate is demanded, and none was declared: name one with --cert if clients "
            "are to have their own",
        )
    else:
        line = setting(target, "require_certificate true", "ssl_verify_client on;")
        yield Finding(
            Status.FAIL,
            "a TLS handshake without a client certificate was completed",
            Fix(f"Demand a certificate of each client. {line}"),
            reproduce=s_client(target),
        )


def _demanded(answers: Answers) -> str:
    """Return how the server demanded a certificate; empty if it did not."""
    if answers[NEWEST_HELLO].version is not None:
        # In TLS 1.2 the server judges before the handshake ends, so this is certain.
        end = _end_of_old(answers)
        return end and f"without a client certificate, the handshake was broken off ({end})"
    new = answers[SESSION]
    if new.refusal == CLOSED:
        raise Unobserved("the server closed after the handshake, without saying why")
    if not new.demands_certificate:
        return ""
    return f"without a client certificate, the connection was ended ({new.refusal})"


def _end_of_old(answers: Answers) -> str:
    try:
        old = answers[_UP_TO_1_2]
    except Unobserved as missing:
        # Some close so fast that their alert is lost on the way.
        is_cut = "reset" in missing.reason or "closed" in missing.reason
        if is_cut and answers[NEWEST_HELLO].wants_certificate:
            return missing.reason
        raise
    return old.refusal if old.demands_certificate else ""


CHECK: Final = Check(
    id="tls.client-certificate.demanded",
    title="Clients need no certificate where they should have one",
    item=Item.SERVICES,
    kinds=frozenset({TargetKind.TLS, TargetKind.MQTT}),
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "Where devices have certificates, they are who they say. If the port takes others as "
        "well, a guessed or stolen password is enough to be any of them."
    ),
    references=References(owasp=("I2",), etsi=("5.5-4",), nist=("LA",), cwe=(287, 306)),
    jobs=asking(SESSION, NEWEST_HELLO, _UP_TO_1_2),
    judge=over_tls(_judge),
)
