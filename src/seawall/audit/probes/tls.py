"""Looks at a TLS port: what it takes, what it shows, and whether that can be trusted.

`Hello` sends a ClientHello of our own making and reads the first answer: any version and
any suite, whatever the OpenSSL of this machine was built with. `Session` and `Verification`
are whole handshakes by OpenSSL, with its security level lowered so that it can meet the weak.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import time
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from seawall.audit.check import Job, Limits, Unobserved
from seawall.audit.probes.connection import connected, failure_reason, observed
from seawall.audit.target import Target
from seawall.wire.tls_hello import (
    MAX_FLIGHT_BYTES,
    NotTlsError,
    ServerFlight,
    TlsVersion,
    client_hello,
    parse_flight,
)
from seawall.wire.tls_suites import SuiteGroup, finite_field_suites, suites_of

_ANY_CIPHER: Final = "ALL:!aNULL:@SECLEVEL=0"
_OP_LEGACY_SERVER_CONNECT: Final = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT, from Python 3.12 on
_QUIET_S: Final = 0.3
_ROUND_TRIPS: Final = 4
CLOSED: Final = "closed"
OF_CLIENT_CERTIFICATE: Final = ("certificate_required", "handshake_failure", "bad_certificate")


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def wanted_name(target: Target) -> str:
    """Return the name that the server's certificate must carry."""
    return target.access.server_name or target.host


@dataclass(frozen=True)
class Hello(Job[ServerFlight]):
    """Offers one version and some suites, and returns what the server made of it.

    A server that closes or resets instead of an answer returns an empty flight: that is
    how many say no. The judge must know from elsewhere that TLS is spoken there.

    Attributes:
        version: The one that is offered.
        groups: Suites by what is wrong with them; empty: all.
        finite_field: Only suites with ephemeral Diffie-Hellman in a finite field.
    """

    version: TlsVersion
    groups: tuple[SuiteGroup, ...] = ()
    finite_field: bool = False

    async def observe(self, target: Target, limits: Limits) -> ServerFlight:
        """Connect, say hello, read one flight.

        Raises:
            Unobserved: no connection, no answer in time, another protocol, a flood.
        """
        suites = finite_field_suites() if self.finite_field else suites_of(*self.groups)
        random = hashlib.sha256(f"{limits.nonce}/{self!r}".encode()).digest()
        name = wanted_name(target)
        hello = client_hello(self.version, suites, random, "" if _is_address(name) else name)
        async with connected(target.host, target.port, limits) as connection:
            async with observed("answer to a ClientHello", limits.read_timeout_s):
                await connection.send(hello)
            received, is_closed = await connection.receive_until(
                _is_whole, min(MAX_FLIGHT_BYTES, limits.max_bytes), limits.read_timeout_s
            )
        return _read_flight(received, is_closed, limits)


def _is_whole(received: bytes) -> bool:
    try:
        return parse_flight(received).complete
    except NotTlsError:
        return True


def _read_flight(received: bytes, is_closed: bool, limits: Limits) -> ServerFlight:
    try:
        flight = parse_flight(received)
    except NotTlsError as error:
        raise Unobserved(_other_protocol(received, error)) from error
    if flight.version is None and flight.alert is None and not is_closed:
        if len(received) >= min(MAX_FLIGHT_BYTES, limits.max_bytes):
            raise Unobserved(f"flooded: more than {len(received)} bytes before a ServerHello")
        seconds = limits.read_timeout_s
        raise Unobserved(f"timed out: no answer to a ClientHello within {seconds:g} s")
    return flight


def _other_protocol(received: bytes, error: NotTlsError) -> str:
    text = received[:40].decode("ascii", "replace").splitlines()
    shown = "".join(c if c.isascii() and c.isprintable() else "." for c in (text or [""])[0])
    return f"speaks another protocol than TLS ({error}; it begins `{shown}`)"


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a handshake by OpenSSL came to.

    Attributes:
        version: Such as ``TLSv1.3``; empty if the server broke off.
        suite: OpenSSL's name.
        certificate: The server's own, DER; empty if it did not come to that.
        refusal: The server's alert, such as ``certificate_required``; ``closed``: it ended
            right after the handshake, without a word; empty: it let us in.
    """

    version: str = ""
    suite: str = ""
    certificate: bytes = b""
    refusal: str = ""

    @property
    def demands_certificate(self) -> bool:
        """Whether the server broke off since we showed no certificate."""
        return self.refusal in OF_CLIENT_CERTIFICATE


@dataclass(frozen=True)
class Session(Job[SessionFacts]):
    """A whole handshake, without a client certificate and without a look at the server's.

    Attributes:
        up_to_1_2: Offer TLS 1.2 at most: there, a server that demands a certificate breaks
            the handshake off, while a client of TLS 1.3 is done before it is judged.
    """

    up_to_1_2: bool = False

    async def observe(self, target: Target, limits: Limits) -> SessionFacts:
        """Connect, shake hands, listen for an alert.

        Raises:
            Unobserved: no connection, no handshake in time, another protocol.
        """
        context = lenient_context()
        if self.up_to_1_2:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        began_s = time.monotonic()
        name = wanted_name(target)
        try:
            async with connected(
                target.host, target.port, limits, context=context, server_name=name
            ) as connection:
                took_s = time.monotonic() - began_s
                suite = (connection.tls.cipher() or ("", "", 0))[0]
                version = connection.tls.version() or ""
                certificate = connection.tls.getpeercert(binary_form=True) or b""
                refusal = ""
                if version == "TLSv1.3":
                    refusal = await _late_alert(connection.receive, took_s, limits)
        except ssl.SSLError as error:
            return SessionFacts(refusal=alert_of(error))
        return SessionFacts(version, suite, certificate, refusal)


async def _late_alert(receive: Any, took_s: float, limits: Limits) -> str:
    """Return the alert that follows a TLS 1.3 handshake; empty if none comes."""
    seconds = min(max(_QUIET_S, _ROUND_TRIPS * took_s), limits.read_timeout_s)
    try:
        async with asyncio.timeout(seconds):
            return "" if await receive() else CLOSED
    except ssl.SSLError as error:
        return alert_of(error)
    except TimeoutError:
        return ""
    except OSError:
        return CLOSED


def alert_of(error: ssl.SSLError) -> str:
    """Return the name of the alert that a server sent.

    Raises:
        Unobserved: the error is none of the server's: it speaks something else, or broke off.
    """
    reason = error.reason or ""
    _, found, name = reason.partition("ALERT_")
    if not found or isinstance(error, ssl.SSLCertVerificationError):
        if reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
            raise Unobserved("speaks another protocol than TLS") from error
        raise Unobserved(failure_reason(error)) from error
    return name.lower()


def lenient_context() -> ssl.SSLContext:
    """Return a client's context that meets everybody and trusts nobody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # an audit looks; it sends nothing secret on this
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers(_ANY_CIPHER)
    context.options |= _OP_LEGACY_SERVER_CONNECT
    return context


@dataclass(frozen=True, slots=True)
class VerificationFacts:
    """What OpenSSL says of the chain.

    Attributes:
        code: X509_V_ERR of OpenSSL; 0: the chain is valid.
        message: In OpenSSL's words.
        trusts: What was trusted, for evidence.
        is_complete: Whether the handshake was completed; if not, the server broke it off as
            one does that wants a certificate of us, and it shows elsewhere whether it does.
    """

    code: int
    message: str
    trusts: str
    is_complete: bool = True


@dataclass(frozen=True)
class Verification(Job[VerificationFacts]):
    """A handshake that verifies the chain against ``--ca``, or what this system trusts.

    Names are no part of it, nor are the strengths of keys: other checks judge them.
    """

    async def observe(self, target: Target, limits: Limits) -> VerificationFacts:
        """Connect, and let OpenSSL judge.

        Raises:
            Unobserved: no connection, no handshake in time, or files that cannot be read.
        """
        context, trusts = verifying_context(target)
        name = wanted_name(target)
        try:
            async with connected(
                target.host, target.port, limits, context=context, server_name=name
            ):
                pass
        except ssl.SSLCertVerificationError as error:
            return VerificationFacts(error.verify_code, error.verify_message, trusts)
        except ssl.SSLError as error:
            # An alert for want of a client certificate comes after our side has judged theirs.
            if (alert := alert_of(error)) not in OF_CLIENT_CERTIFICATE:
                raise Unobserved(f"the server broke off: {alert}") from error
            return VerificationFacts(0, alert, trusts, is_complete=False)
        return VerificationFacts(0, "ok", trusts)


def verifying_context(target: Target) -> tuple[ssl.SSLContext, str]:
    """Return a context that verifies the chain (not the name), and what it trusts in words.

    Raises:
        Unobserved: a file that it needs cannot be used.
    """
    access = target.access
    context = lenient_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an issuing CA may be what is trusted
    try:
        if access.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=access.ca)
    except (OSError, ssl.SSLError) as error:
        raise Unobserved(f"{_shown(access.ca)} cannot be used: {failure_reason(error)}") from error
    if access.cert is not None:
        try:
            context.load_cert_chain(access.cert, access.key, password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            reason = f"{_shown(access.cert)} cannot be used: {failure_reason(error)}"
            raise Unobserved(reason) from error
    return context, "what this system trusts" if access.ca is None else _shown(access.ca)


def _shown(path: Path | None) -> str:
    return str(path)
