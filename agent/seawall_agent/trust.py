"""Whom the device believes to be its server: TLS contexts for `ca`, `pin`, `ca+pin`.

Uses the module ``tls``: the frozen ``ssl.SSLContext`` wrapper begins at CERT_NONE.
"""

import tls
from binascii import unhexlify
from hashlib import sha256
from micropython import const

from .signer import equal

# Mbed TLS takes any negative number from the callback for "fatal", whatever verify_mode says,
# except its "verify failed" (-0x2700), which CERT_OPTIONAL would forgive.
_REFUSED = const(-0x3000)  # MBEDTLS_ERR_X509_FATAL_ERROR

# ECDHE and AEAD only, as the server offers; keeps a server from choosing less.
_CIPHERS = (
    "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
    "TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-RSA-WITH-AES-256-GCM-SHA384",
)


class Trust:
    """A client context with the device's identity and the server's.

    `ca`: chain, name and dates are verified. `pin`: the leaf certificate is one
    of the pinned ones, nothing else counts. `ca+pin`: both.

    Attributes:
        context: The ``tls.SSLContext``.
        pinned: None without pins; else whether the last handshake showed a pinned leaf.
    """

    def __init__(self, mode, pins, ca, cert, key):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.set_ciphers(_CIPHERS)
        context.load_cert_chain(cert, key)
        if mode != "pin":
            context.load_verify_locations(ca)
        # With CERT_OPTIONAL an unknown issuer is forgiven; the callback's verdict never is.
        context.verify_mode = tls.CERT_OPTIONAL if mode == "pin" else tls.CERT_REQUIRED
        self.context = context
        self.pinned = None
        if mode != "ca":
            self._pins = tuple(unhexlify(pin) for pin in pins)
            self.pinned = False
            context.verify_callback = self._judge

    def forget(self):
        """Begin a handshake: no certificate has been seen."""
        if self.pinned is not None:
            self.pinned = False

    def _judge(self, cert, depth):
        # Called from C for each certificate of the chain, the leaf (depth 0) last: an exception
        # would jump out of Mbed TLS, so that even a lack of memory must become a refusal.
        if depth:
            return 0
        try:
            digest = sha256(cert).digest()
            for pin in self._pins:
                if equal(digest, pin):
                    self.pinned = True
                    return 0
        except Exception:
            pass
        return _REFUSED
