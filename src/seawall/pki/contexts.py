"""TLS contexts: version 1.2 or later, forward secrecy and AEAD only, no tickets."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path
from typing import Final

from seawall.errors import KeyAccessError
from seawall.pki.files import check_private_file, unreadable
from seawall.pki.keystore import CertificatePaths, Keystore

_TLS_1_2_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
# TLS 1.3 has no suites but such, and its list is OpenSSL's own.


def mqtt_server_context(keystore: Keystore, crl_pem: bytes) -> ssl.SSLContext:
    """Return the context of the endpoint for devices: every client shows a certificate.

    Make a new context for each revocation list: a resumed session is judged
    neither by the authority nor by the list. Tickets are off, so that TLS 1.3
    resumes nothing; of TLS 1.2, OpenSSL keeps sessions in a cache that belongs
    to the context and that Python cannot turn off. Identity and serial number
    are to be judged by the registry at each connection, resumed or not.

    Args:
        keystore: Where the server's key and the authorities stand.
        crl_pem: The revocation list in force.

    Raises:
        KeyAccessError: a key or certificate cannot be used.
    """
    context = _server_context(keystore.server_paths())
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=keystore.ca_chain_path)
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    _load_crl(context, crl_pem, keystore.crl_path)
    return context


def web_server_context(keystore: Keystore) -> ssl.SSLContext:
    """Return the context of the web server, for browsers.

    Raises:
        KeyAccessError: a key or certificate cannot be used.
    """
    context = _server_context(keystore.web_paths())
    context.set_alpn_protocols(["http/1.1"])
    return context


def service_client_context(keystore: Keystore) -> ssl.SSLContext:
    """Return the context with which the platform's own client meets the broker.

    Raises:
        KeyAccessError: a key or certificate cannot be used.
    """
    context = client_context(keystore.root_path)
    _load_pair(context, keystore.service_paths())
    return context


def client_context(root_path: Path) -> ssl.SSLContext:
    """Return a client's context that trusts one root and checks the server's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_verify_locations(cafile=root_path)
    return context


def _server_context(paths: CertificatePaths) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    _load_pair(context, paths)
    return context


def _load_pair(context: ssl.SSLContext, paths: CertificatePaths) -> None:
    check_private_file(paths.key)
    try:
        # Never ask on a terminal: our leaf keys are not encrypted.
        context.load_cert_chain(paths.certificate, paths.key, password=lambda: b"")
    except PermissionError as error:
        raise unreadable(paths.key, error) from error
    except (OSError, ssl.SSLError) as error:
        raise KeyAccessError(
            f"{paths.certificate} and {paths.key} cannot be used: {error}",
            reference="key-damaged",
            hint="restore both from the same backup",
        ) from error


def _load_crl(context: ssl.SSLContext, crl_pem: bytes, path: Path) -> None:
    # `load_verify_locations(cadata=...)` reads certificates only, so by a file.
    with tempfile.NamedTemporaryFile(prefix="seawall-crl-") as file:
        file.write(crl_pem)
        file.flush()
        try:
            context.load_verify_locations(cafile=file.name)
        except ssl.SSLError as error:
            raise KeyAccessError(
                f"the revocation list {path} cannot be used: {error}",
                reference="key-damaged",
                hint="restore it from a backup",
            ) from error
