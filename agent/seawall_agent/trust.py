"""The device's identity, and whom it believes to be its server: TLS context and key.

Uses the module ``tls``: the frozen ``ssl.SSLContext`` wrapper begins at CERT_NONE.
"""

import tls
from hashlib import sha256

# ECDHE and AEAD only, as the server offers; keeps a server from choosing less.
_CIPHERS = "TLS-ECDHE-%s-WITH-AES-%s"


def begin(agent):
    """Give an agent its context and its key, from the files of the bundle.

    Raises:
        SystemExit: a file cannot be read.
    """
    try:
        agent.context = client_context(_file("ca.der"), _file("cert.der"), _file("key.der"))
        agent.pads = pads_of(_file("hmac.key"))
    except ValueError as error:
        raise SystemExit("ca.der, cert.der or key.der: %s" % error)


def _file(name):
    try:
        with open(name, "rb") as f:
            return f.read()
    except OSError:
        raise SystemExit(name + ": cannot be read")


def client_context(ca, cert, key):
    """Return a ``tls.SSLContext`` that verifies chain, name and dates.

    start.py adds pins: `link.Link.judge` is asked as well, or alone.

    Args:
        ca: Certificate of the root, DER.
        cert: The device's certificate, DER.
        key: Its key, DER.

    Raises:
        ValueError: a certificate or the key cannot be read.
    """
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(
        [
            _CIPHERS % (kind, suite)
            for kind in ("ECDSA", "RSA")
            for suite in ("128-GCM-SHA256", "256-GCM-SHA384")
        ]
    )
    context.load_cert_chain(cert, key)
    context.load_verify_locations(ca)
    context.verify_mode = tls.CERT_REQUIRED
    return context


def pads_of(key):
    """Return a key (of any length) in the two forms that signer.py hashes (RFC 2104)."""
    if len(key) > 64:
        key = sha256(key).digest()
    key += bytes(64 - len(key))
    return bytes(b ^ pad for pad in (0x36, 0x5C) for b in key)
