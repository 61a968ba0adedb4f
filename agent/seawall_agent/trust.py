"""The device's identity, and whom it believes to be its server: TLS context and key.

Uses the module ``tls``: the frozen ``ssl.SSLContext`` wrapper begins at CERT_NONE.
"""

import tls

from . import sha256


def start(agent):
    """Give an agent its context and its key, from the files of the bundle.

    How the ``tls.SSLContext`` verifies, and pins, is up to `joining.start`.

    Raises:
        SystemExit: a file cannot be read.
    """
    agent.context = context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    # Forward secrecy and AEAD only; every server that is up to date has these (RFC 9325, 4.2).
    suite = "TLS-ECDHE-%s-WITH-AES-128-GCM-SHA256"
    context.set_ciphers((suite % "ECDSA", suite % "RSA"))
    name = "hmac.key"
    try:
        key = _file(name)
        if len(key) != 32:
            raise ValueError("not 32 bytes")
        agent.pads = pads_of(key)
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
    pads = bytearray((key + bytes(64 - len(key))) * 2)
    for i in range(128):
        pads[i] ^= 0x36 if i < 64 else 0x5C
    return bytes(pads)
