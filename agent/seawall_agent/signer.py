"""HMAC-SHA256 (RFC 2104) and the envelope seawall/1, over exact bytes."""

from binascii import hexlify
from hashlib import sha256
from micropython import const

_SIG = const(b',"sig":"')
_TAIL_BYTES = const(74)  # ,"sig":" then 64 digits then "}


class Signer:
    """Signs and verifies with one key."""

    def __init__(self, key):
        if len(key) > 64:
            key = sha256(key).digest()
        key = key + bytes(64 - len(key))
        self._inner = bytes(b ^ 0x36 for b in key)
        self._outer = bytes(b ^ 0x5C for b in key)

    def mac(self, *parts):
        """Return the HMAC of the parts as one message."""
        # Hashes have no copy() here, so the key's block is hashed each time.
        h = sha256(self._inner)
        for part in parts:
            h.update(part)
        inner = h.digest()
        h = sha256(self._outer)
        h.update(inner)
        return h.digest()

    def _signature(self, start, topic):
        return hexlify(self.mac(b"seawall/1\0", topic, b"\0", start, b"}"))

    def seal(self, body, topic):
        """Return what goes on the wire for a JSON object; ``topic`` is bytes."""
        start = body[:-1]
        return b"".join((start, _SIG, self._signature(start, topic), b'"}'))

    def open(self, wire, topic):
        """Return the body of a sealed message, or None if it is not sealed with this key."""
        end = len(wire) - _TAIL_BYTES
        if end < 2 or wire[0] != 123 or wire[end : end + 8] != _SIG or wire[-2:] != b'"}':
            return None
        start = wire[:end]
        if not equal(self._signature(start, topic), wire[end + 8 : -2]):
            return None
        return start + b"}"


def equal(a, b):
    """Compare two byte strings in a time that depends on their length alone."""
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return not difference
