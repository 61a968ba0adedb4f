"""Who a certificate says it is, and why a handshake failed: pure.

The chain and the revocation list were checked by OpenSSL before anything here
looks at the names.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seawall.model.ids import is_device_id
from seawall.model.reading import Reason

DEVICE_URN: Final = "urn:seawall:device:"
SERVICE_URN: Final = "urn:seawall:service:"

_X509_V_ERR_CERT_REVOKED: Final = 23


@dataclass(frozen=True, slots=True)
class Peer:
    """A proven identity.

    Attributes:
        identity: Device id, or ``@`` and the name of a service.
        serial: Of the certificate, lower-case hex without leading zeros.
        expires_s: When the certificate does, seconds since 1970.
    """

    identity: str
    serial: str
    expires_s: float


def peer_of(certificate: Mapping[str, Any]) -> Peer | None:
    """Read a certificate in the form of `ssl.SSLSocket.getpeercert`.

    It must have exactly one common name, and exactly one URI of ours, and both
    must name the same device or service.

    Returns:
        None if it does not.
    """
    names = [
        value
        for part in certificate.get("subject", ())
        for kind, value in part
        if kind == "commonName"
    ]
    uris = [
        value
        for kind, value in certificate.get("subjectAltName", ())
        if kind == "URI" and value.startswith("urn:seawall:")
    ]
    if len(names) != 1 or len(uris) != 1:
        return None
    name = names[0]
    service = name.startswith("@")
    wanted = SERVICE_URN + name[1:] if service else DEVICE_URN + name
    if uris[0] != wanted or not is_device_id(name[1:] if service else name):
        return None
    return Peer(
        name,
        format(int(certificate["serialNumber"], 16), "x"),
        ssl.cert_time_to_seconds(certificate["notAfter"]),
    )


def handshake_refusal(error: OSError) -> tuple[Reason, str] | None:
    """Return why we refused a client in the handshake; None if it went away by itself."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code == _X509_V_ERR_CERT_REVOKED:
            return Reason.REVOKED_DEVICE, "the certificate is revoked"
        return Reason.UNKNOWN_DEVICE, f"the certificate is not accepted: {error.verify_message}"
    why = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    if not why or "ALERT" in why or "UNEXPECTED_EOF" in why:
        return None  # it broke off (a power cut, a weak radio), or it refused us
    if why == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return Reason.UNKNOWN_DEVICE, "the client shows no certificate"
    return Reason.MALFORMED, f"no TLS handshake: {why.lower().replace('_', ' ')}"
