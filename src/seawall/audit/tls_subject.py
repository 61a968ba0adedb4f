"""What the checks of TLS have in common: when they apply, what they ask, what was shown."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from seawall.audit.check import Answers, Job, Unobserved
from seawall.audit.probes.tls import Hello, Session, wanted_name
from seawall.audit.target import Target, TargetKind
from seawall.model.finding import Finding, Fix, References, Status
from seawall.pki.inspection import CertificateError, CertificateReport, inspect
from seawall.wire.tls_hello import ServerFlight, TlsVersion

KINDS: Final = frozenset({TargetKind.TLS, TargetKind.MQTT, TargetKind.API})

SESSION: Final = Session()
NEWEST_HELLO: Final = Hello(TlsVersion.TLS_1_2)
"""Shared by most checks: the one sees TLS 1.3, the other what stands in the clear before it."""

Judge = Callable[[Target, Answers], Iterable[Finding]]


def references(*cwe: int, etsi: tuple[str, ...] = ("5.5-1",)) -> References:
    """Return where standards speak of data in transfer."""
    return References(owasp=("I7",), etsi=etsi, nist=("DP",), cwe=cwe)


def is_over_tls(target: Target) -> bool:
    """Tell whether this target is to be spoken to by TLS."""
    return target.kind is TargetKind.TLS or target.uses_tls


def asking(*jobs: Job[Any]) -> Callable[[Target], Sequence[Job[Any]]]:
    """Return what asks these jobs of targets over TLS, and none of others."""
    return lambda target: jobs if is_over_tls(target) else ()


def over_tls(judge: Judge) -> Judge:
    """Wrap a judge: targets in plain text are no matter of its check."""

    def judged(target: Target, answers: Answers) -> Iterable[Finding]:
        if is_over_tls(target):
            return judge(target, answers)
        return (Finding(Status.NOT_APPLICABLE, "this target is not spoken to by TLS"),)

    return judged


def demand_tls(answers: Answers) -> None:
    """Make sure that TLS is spoken with us at all, so that a no elsewhere means no.

    An alert is no proof: who answers all with one, for want of a name for instance, has
    refused nothing in particular.

    Raises:
        Unobserved: no ServerHello was seen.
    """
    reasons = []
    try:
        flight = answers[NEWEST_HELLO]
        if flight.version is not None:
            return
    except Unobserved as missing:
        reasons.append(missing.reason)
    try:
        session = answers[SESSION]
        if session.version:
            return
        if session.refusal:
            reasons.append(f"every handshake was refused (alert {session.refusal})")
    except Unobserved as missing:
        reasons.append(missing.reason)
    raise Unobserved(reasons[0] if reasons else "no TLS handshake came about")


def _flight(answers: Answers) -> ServerFlight:
    try:
        return answers[NEWEST_HELLO]
    except Unobserved:
        return ServerFlight()


def served_certificates(answers: Answers) -> tuple[bytes, ...]:
    """Return the certificates (DER) that the server showed, its own first.

    Raises:
        Unobserved: it showed none.
    """
    in_clear = _flight(answers).certificates
    try:
        mine = answers[SESSION].certificate
    except Unobserved:
        if not in_clear:
            raise
        return in_clear
    if not mine and not in_clear:
        raise Unobserved("the server showed no certificate")
    if not mine or (in_clear and in_clear[0] == mine):
        return in_clear
    return (mine, *in_clear[1:])


def server_certificate(answers: Answers) -> CertificateReport:
    """Return what the server's own certificate says.

    Raises:
        Unobserved: it showed none, or one that cannot be read.
    """
    return read_certificate(served_certificates(answers)[0])


def read_certificate(der: bytes) -> CertificateReport:
    """Return what a certificate says.

    Raises:
        Unobserved: it cannot be read.
    """
    try:
        return inspect(der)
    except CertificateError as error:
        raise Unobserved(f"the server's certificate cannot be read ({error})") from error


# Words


def s_client(target: Target, *options: str) -> str:
    """Return the command that shows the same with openssl."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    address = f"{host}:{target.port}"
    name = wanted_name(target)
    return shlex.join(["openssl", "s_client", "-connect", address, "-servername", name, *options])


def enumeration(target: Target) -> str:
    """Return the command that shows what today's openssl no longer can."""
    words = ["nmap", "-Pn", "--script", "ssl-enum-ciphers", "-p", str(target.port), target.host]
    return shlex.join(words)


def setting(target: Target, mosquitto: str, nginx: str) -> str:
    """Return which line mends it, for the server that this target probably is."""
    if target.kind is TargetKind.MQTT:
        return f"In mosquitto.conf: `{mosquitto}`."
    if target.kind is TargetKind.API:
        return f"In nginx: `{nginx}`."
    return f"In nginx: `{nginx}`; in mosquitto.conf: `{mosquitto}`."


def new_certificate(target: Target, why: str) -> Fix:
    """Return the fix that is a new certificate: a key, and a request for the authority."""
    name = wanted_name(target)
    kind = "IP" if _is_address(name) else "DNS"
    command = (
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 "
        "-keyout server.key -out server.csr "
        + shlex.join(["-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}"])
    )
    text = f"{why} Make a key and a request, have the authority sign server.csr, and give both"
    return Fix(f"{text} to the server.", command)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
