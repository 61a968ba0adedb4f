"""The device's identity, and whom it believes to be its server: TLS context and key.

Uses the module ``tls``: the frozen ``ssl.SSLContext`` wrapper begins at CERT_NONE.
"""

import tls
from hashlib import sha256

# ECDHE and AEAD only, as the server offers; keeps a server from choosing less.
_CIPHERS = "TLS-ECDHE-%s-WITH-AES-%s"


def start(agent):
    """Give an agent its context and its key, from the files of the bundle.

    The ``tls.SSLContext`` verifies chain, name and dates; joining.py adds pins.

    Raises:
        SystemExit: a file cannot be read.
    """
    agent.context = context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(
        [
            _CIPHERS % (kind, suite)
            for kind in ("ECDSA", "RSA")
            for suite in ("128-GCM-SHA256", "256-GCM-SHA384")
        ]
    )
    context.verify_mode = tls.CERT_REQUIRED
    agent.reserve = bytearray(640)
    name = "hmac.key"
    try:
        agent.pads = pads_of(_file(name))
        name = "ca.der"
        context.load_verify_locations(_file(name))
        name = "cert.der, key.der"
        context.load_cert_chain(_file("cert.der"), _file("key.der"))
    except (OSError, ValueError) as error:
        raise SystemExit("%s: %s" % (name, error))


def _file(name):
    with open(name, "rb") as f:
        return f.read()


def pads_of(key):
    """Return a key (of any length) in the two forms that signer.py hashes (RFC 2104)."""
    if len(key) > 64:
        key = sha256(key).digest()
    key += bytes(64 - len(key))
    return bytes(b ^ pad for pad in (0x36, 0x5C) for b in key)
