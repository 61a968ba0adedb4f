"""Whether the server shows the certificate that devices have pinned."""

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
    over_tls,
    references,
    s_client,
    served_certificates,
)
from seawall.model.finding import Finding, Fix, Item, Risk, Severity, Status
from seawall.pki.pins import certificate_sha256


def _judge(target: Target, answers: Answers) -> Iterator[Finding]:
    if target.access.pin is None:
        yield Finding(Status.NOT_APPLICABLE, "no pin was declared: name it with --pin")
        return
    wanted = target.access.pin.replace(":", "").lower()
    shown = certificate_sha256(served_certificates(answers)[0])
    if shown == wanted:
        yield Finding(Status.PASS, f"the server's certificate has the pin {wanted}")
        return
    yield Finding(
        Status.FAIL,
        f"pinned is {wanted}; the server's certificate has {shown}",
        Fix(
            "If you have changed the certificate, give devices its pin before it is used; if you "
            "have not, somebody sits in the way: find out before you trust it."
        ),
        reproduce=f"{s_client(target)} </dev/null | openssl x509 -noout -fingerprint -sha256",
    )


CHECK: Final = Check(
    id="tls.certificate.pin",
    title="The server shows another certificate than the pinned one",
    item=Item.TRANSFER_AND_STORAGE,
    kinds=KINDS,
    severity=Severity.HIGH,
    risk=Risk.READ,
    why=(
        "A pin is the one thing that still holds when an authority is careless or its key is "
        "stolen. Another certificate is somebody in the way, or a change that cuts devices off."
    ),
    references=references(295),
    jobs=asking(SESSION, NEWEST_HELLO),
    judge=over_tls(_judge),
)
