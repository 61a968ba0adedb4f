"""Whether the server's certificate leads to an authority that is trusted (RFC 5280)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from seawall.audit.check import Answers, Check, Unobserved
from seawall.audit.probes.tls import Verification, VerificationFacts
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
from seawall.model.finding import Confidence, Finding, Fix, Item, Risk, Severity, Status

_VERIFICATION: Final = Verification()
# X509_V_ERR of OpenSSL: the chain is whole, and only the date is wrong, which another check says.
_DATES: Final = frozenset({9, 10})


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    seen = answers[_VERIFICATION]
    if not seen.is_complete and not answers[NEWEST_HELLO].wants_certificate:
        # Perhaps it broke off before it showed any certificate.
        raise Unobserved(f"the server broke off: {seen.message}")
    if seen.code == 0 or seen.code in _DATES:
        yield Finding(Status.PASS, f"the chain ends in {seen.trusts}")
        return
    if target.access.ca is None and not server_certificate(answers).is_self_signed:
        yield Finding(
            Status.UNKNOWN,
            f"the chain does not end in {seen.trusts} ({seen.message}); needs --ca",
        )
    elif target.access.ca is None and target.access.pin is not None:
        yield Finding(Status.NOT_APPLICABLE, "self-signed, and pinned: see the check of the pin")
    else:
        yield _invalid(target, seen)


def _invalid(target: Target, seen: VerificationFacts) -> Finding:
    ca = target.access.ca
    options = ["-verify_return_error", *(["-CAfile", str(ca)] if ca else [])]
    why = "Serve a certificate of the authority that clients trust, with its intermediates after."
    return Finding(
        Status.FAIL,
        f"against {seen.trusts}: {seen.message} (OpenSSL's error {seen.code})",
        new_certificate(target, why)
        if ca
        else Fix("Use a certificate of an authority, and name it with --ca, or pin this one."),
        confidence=Confidence.HIGH if ca else Confidence.MEDIUM,
        reproduce=s_client(target, *options),
    )


CHECK: Final = Check(
    id="tls.certificate.chain",
    title="The server's certificate does not lead to a trusted authority",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "A client that accepts this certificate accepts anybody's: whoever sits in the way makes "
        "one of the same kind, reads what is sent, and answers as they like."
    ),
    references=references(295, 296),
    jobs=asking(SESSION, NEWEST_HELLO, _VERIFICATION),
    judge=over_tls(_judge),
)
