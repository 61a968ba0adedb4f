"""A paho-mqtt client set up as a device should be: mutual TLS, host name, pins."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from seawall.errors import KeyAccessError, UsageError

_PIN = re.compile(r"[0-9a-f]{64}\Z")


def create_tls_client(
    client_id: str,
    *,
    ca_file: str | Path,
    cert_file: str | Path,
    key_file: str | Path,
    key_password: str | bytes | None = None,
    pins: Iterable[str] = (),
    protocol: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311,
    **options: Any,
) -> mqtt.Client:
    """Return a paho client that proves who it is and checks who it talks to.

    TLS 1.2 or later; the server's certificate must come from the authority, carry
    the host name that is connected to, and, if pins are given, have one of these
    fingerprints. All of it is checked in the handshake: nothing is sent before,
    not even CONNECT.

    Args:
        client_id: The device id; brokers of this platform take no other name than the
            certificate's.
        ca_file: The authority that the server is trusted by, PEM.
        cert_file: The device's certificate, PEM.
        key_file: Its private key, PEM.
        key_password: Of the private key, if it is encrypted.
        pins: SHA-256 of the server certificates to accept, hex, with colons or not, as
            ``openssl x509 -fingerprint -sha256`` and ``seawall tls fingerprint`` print.
        protocol: MQTT version, as paho numbers them.
        options: Further arguments of `paho.mqtt.client.Client`.

    Raises:
        KeyAccessError: a file cannot be read or used.
        UsageError: a pin is not a SHA-256 fingerprint.
    """
    context = _pinned_context(_parse_pins(pins))
    for path in (ca_file, cert_file, key_file):
        if not Path(path).is_file():
            raise KeyAccessError(f"there is no file {path}")
    try:
        context.load_verify_locations(cafile=ca_file)
        context.load_cert_chain(cert_file, key_file, key_password or _no_password)
    except (OSError, ssl.SSLError) as error:
        raise KeyAccessError(f"the certificates of {client_id} cannot be used: {error}") from error
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol, **options)
    client.tls_set_context(context)
    return client


def _no_password() -> bytes:
    """Stand in for OpenSSL's question on the terminal, which nobody may be there to answer."""
    raise KeyAccessError("the private key is encrypted", hint="give key_password")


def _parse_pins(pins: Iterable[str]) -> frozenset[str]:
    if isinstance(pins, str):
        pins = (pins,)
    parsed = {pin.replace(":", "").strip().lower() for pin in pins}
    for pin in parsed:
        if not _PIN.match(pin):
            raise UsageError(f"{pin[:80]!r} is no SHA-256 fingerprint", hint="64 hex digits")
    return frozenset(parsed)


def _pinned_context(pins: frozenset[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and its host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if pins:

        class PinnedSocket(ssl.SSLSocket):
            """Ends the handshake with an error unless the server's certificate is pinned."""

            def do_handshake(self, block: bool = False) -> None:
                super().do_handshake(block)
                der = self.getpeercert(binary_form=True) or b""
                found = hashlib.sha256(der).hexdigest()
                if found not in pins:
                    self.close()
                    raise ssl.SSLCertVerificationError(
                        f"the server's certificate is not pinned: its SHA-256 is {found}"
                    )

        context.sslsocket_class = PinnedSocket
    return context
