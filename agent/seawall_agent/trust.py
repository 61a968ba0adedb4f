"""The device's identity, and whom it believes to be its server: TLS context and key.

Uses the module ``tls``: the frozen ``ssl.SSLContext`` wrapper begins at CERT_NONE.
"""

import tls
from hashlib import sha256

# Forward secrecy and AEAD only; every server that is up to date has these (RFC 9325, section 4.2).
_CIPHERS = (
    "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
)


def start(agent):
    """Give an agent its context and its key, from the files of the bundle.

    The ``tls.SSLContext`` verifies chain, name and dates; joining.py adds pins.

    Raises:
        SystemExit: a file cannot be read.
    """
    agent.context = context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(_CIPHERS)
    context.verify_mode = tls.CERT_REQUIRED
    agent.spare = bytearray(640)
    name = "hmac.key"
    try:
        agent.pads = pads_of(_file(name))
        name = "ca.der"
        context.load_verify_locations(_file(name))
        name = "cert.der"
        cert = _file(name)
        name = "key.der"
        context.load_cert_chain(cert, _file(name))
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
