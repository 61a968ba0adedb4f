"""HMAC-SHA256 (RFC 2104) and the envelope seawall/1, over exact bytes.

``pads`` are the key's blocks for the inner and the outer hash: `trust.pads_of`.
"""

from binascii import hexlify

from . import sha256


def mac(pads, data):
    """Return the HMAC of ``data``."""
    for at in (0, 64):
        h = sha256(pads[at : at + 64])  # hashes have no copy() here
        h.update(data)
        data = h.digest()
    return data


def seal(pads, body, topic):
    """Return what goes on the wire for a JSON object (exact bytes) under a topic (bytes)."""
    sig = hexlify(mac(pads, b"seawall/1\0%s\0%s" % (topic, body)))
    return b'%s,"sig":"%s"}' % (body[:-1], sig)
