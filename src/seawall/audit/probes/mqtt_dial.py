"""The way to a broker: TCP and TLS, and whom a password may go to."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from seawall.audit.check import Limits, Unobserved
from seawall.audit.mqtt_facts import Greeting
from seawall.audit.probes.connection import abort
from seawall.audit.target import Access, Target
from seawall.wire.mqtt.codes import V5
from seawall.wire.mqtt.packets import Connect

_OF_CERTIFICATE: Final = (
    "certificate required",
    "handshake failure",
    "bad certificate",
    "no certificate",
    "unknown ca",
    "certificate unknown",
    "certificate expired",
    "certificate revoked",
    "access denied",
)
"""Alerts of servers that want a certificate, or another one (RFC 8446, 6.2)."""

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):  # noqa: N818  an answer, not a fault
    """The broker does not want us; ``greeting`` says how."""

    def __init__(self, greeting: Greeting) -> None:
        super().__init__(greeting.text)
        self.greeting = greeting


@dataclass(frozen=True, slots=True)
class Asking:
    """How to connect.

    Attributes:
        access: What to show.
        client_id: Empty: the broker chooses, so that nobody is taken over by chance.
        username: Instead of the access's own.
        password: Instead of the access's own.
    """

    access: Access
    client_id: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def packet(self, version: int, client_id: str) -> Connect:
        """Return CONNECT; keep-alive 0, to see whether that is granted."""
        name = self.username if self.username is not None else self.access.username
        word = self.password if self.username is not None else self.access.password
        # 3.1.1 knows no password without a user name [MQTT-3.1.2-22].
        kept = word.encode() if word is not None and name is not None else None
        return Connect(client_id, True, 0, version, name, kept)

    @property
    def has_secret(self) -> bool:
        """Whether a password of the user's would be sent."""
        return self.username is None and self.access.password is not None


async def dial(target: Target, asking: Asking, limits: Limits) -> Streams:
    """Connect, over TLS where the target says so.

    Raises:
        Refused: TLS does not want us.
        Unobserved: nobody to talk to, or nobody to be trusted with a password.
    """
    context, name = None, None
    if target.uses_tls:
        context = _context(asking)
        name = asking.access.server_name or target.access.server_name or target.host
    try:
        streams = await asyncio.wait_for(
            asyncio.open_connection(target.host, target.port, ssl=context, server_hostname=name),
            limits.connect_timeout_s,
        )
    except TimeoutError:
        what = "TLS handshake" if context else "connection"
        raise Unobserved(f"no {what} within {limits.connect_timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise Unobserved(
            f"the certificate is not trusted ({error.verify_message}): no password was sent; "
            "give --ca or --pin"
        ) from error
    except ssl.SSLError as error:
        raise _handshake(error) from error
    except socket.gaierror:
        raise Unobserved("the name is not known") from None
    except OSError as error:
        raise Unobserved(_reason(error)) from error
    if context is not None and not _has_pin(streams[1], target.access.pin, asking):
        abort(streams[1])
        raise Unobserved("the server's certificate is not the pinned one: nothing was sent")
    return streams


def _has_pin(writer: asyncio.StreamWriter, pin: str | None, asking: Asking) -> bool:
    if pin is None:
        return True
    try:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    except ValueError:
        # The server has ended TLS again, for want of a certificate: reading tells how.
        return not asking.has_secret
    return der is not None and hashlib.sha256(der).hexdigest() == pin


def _context(asking: Asking) -> ssl.SSLContext:
    """Make a context: strict where a password goes, and open to any broker elsewhere."""
    access = asking.access
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if asking.has_secret and access.pin is None:
            context.load_verify_locations(access.ca) if access.ca else context.load_default_certs()
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            # Old brokers are to be seen; what their TLS is worth, the TLS checks say.
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        if access.cert is not None:
            context.load_cert_chain(access.cert, access.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise Unobserved(f"certificate, key or CA file cannot be used: {error}") from error
    return context


def _handshake(error: ssl.SSLError) -> Exception:
    if "ALERT" in (error.reason or ""):
        return refused_by_tls(error, V5)
    if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}:
        return Unobserved("what answers speaks no TLS")
    return Unobserved(f"no TLS handshake ({alert_text(error)})")


def refused_by_tls(error: ssl.SSLError, version: int) -> Exception:
    """Return what an alert comes to: an answer, if it is for want of a certificate.

    ``unrecognized name``, ``protocol version`` or ``internal error`` refuse nobody: TLS did
    not come about.
    """
    text = alert_text(error)
    if text.endswith(_OF_CERTIFICATE):
        return Refused(Greeting(False, version, None, (), text))
    return Unobserved(f"no TLS handshake ({text})")


def alert_text(error: ssl.SSLError) -> str:
    """Return what TLS said, in words; they begin with ``TLS``."""
    words = (error.reason or type(error).__name__).lower().replace("_", " ")
    return "TLS: " + words.replace("tlsv1 ", "").replace("tlsv13 ", "").replace("sslv3 ", "")


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | ssl.SSLEOFError):
        return "connection reset"
    return f"no connection ({(error.strerror or type(error).__name__).lower()})"
