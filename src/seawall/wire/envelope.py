r"""The seawall/1 envelope: a signed payload that stays plain JSON.

``wire = body[:-1] + ',"sig":"' + 64 hex digits + '"}'``, where the signature is
HMAC-SHA256 (RFC 2104) with the device's own key over
``"seawall/1\0" + topic + "\0" + body``: exact bytes, never a re-serialisation.
Because the signature stands last, verifying slices bytes and parses nothing;
because the topic is signed, a payload cannot be moved to another device or
channel. The same bytes are judged by the agent: see ``vectors/``.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from seawall.errors import ProtocolError

DOMAIN: Final = b"seawall/1\0"
"""Separates these signatures from every other use of the same key."""
SIG_MARK: Final = b',"sig":"'
SIG_END: Final = b'"}'
SIG_CHARS: Final = 64
SUFFIX_BYTES: Final = len(SIG_MARK) + SIG_CHARS + len(SIG_END)
OVERHEAD_BYTES: Final = SUFFIX_BYTES - 1
"""How much longer a sealed payload is than its body."""
MIN_BODY_BYTES: Final = len(b'{"":0}')
MIN_WIRE_BYTES: Final = MIN_BODY_BYTES + OVERHEAD_BYTES

_BLOCK_BYTES: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))
_JSON_SPACE: Final = b" \t\n\r"


def signature(body: bytes, topic: str, key: bytes) -> bytes:
    """Return the 32 bytes of the signature of a body on a topic."""
    return hmac.digest(key, DOMAIN + topic.encode() + b"\0" + body, "sha256")


def seal(body: bytes, topic: str, key: bytes) -> bytes:
    """Sign a body and return what goes on the wire.

    Args:
        body: A JSON object with at least one member, first byte ``{``, last ``}``.
        topic: The MQTT topic that it will be published on.
        key: The device's key, 32 bytes.

    Raises:
        ProtocolError: if the body does not have that shape.
    """
    if body[:1] != b"{" or body[-1:] != b"}" or not body[1:-1].strip(_JSON_SPACE):
        raise ProtocolError(
            "a body to be signed is not a JSON object with at least one member",
            reference="malformed-payload",
            hint='it begins with "{", ends with "}" and has no space around it',
        )
    return body[:-1] + SIG_MARK + signature(body, topic, key).hex().encode() + SIG_END


def hash_states(key: bytes, message_prefix: bytes = b"") -> tuple[hashlib._Hash, hashlib._Hash]:
    """Return the inner and outer SHA-256 states of HMAC (RFC 2104, section 2) for a key.

    Copying these two for each message costs a third of making an HMAC.

    Args:
        key: Of any length.
        message_prefix: What every message begins with; absorbed into the inner state.
    """
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return (
        hashlib.sha256(block.translate(_INNER_PAD) + message_prefix),
        hashlib.sha256(block.translate(_OUTER_PAD)),
    )


class Verifier:
    """Opens the envelopes of one key on one topic.

    Args:
        key: The device's key.
        topic: The topic that the payloads arrive on.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, topic: str) -> None:
        self._inner, self._outer = hash_states(key, DOMAIN + topic.encode() + b"\0")

    @property
    def states(self) -> tuple[hashlib._Hash, hashlib._Hash]:
        """The two cached hash states, for a loop that verifies many messages."""
        return self._inner, self._outer

    def open(self, payload: bytes) -> bytes | None:
        """Return the body if the signature is right, else None. Parses nothing.

        The signature is 64 lower-case hex digits, compared in constant time.
        """
        if (
            len(payload) < MIN_WIRE_BYTES
            or payload[-SUFFIX_BYTES : -SIG_CHARS - 2] != SIG_MARK
            or payload[-2:] != SIG_END
            or payload[:1] != b"{"
        ):
            return None
        body = payload[:-SUFFIX_BYTES] + b"}"
        inner = self._inner.copy()
        inner.update(body)
        outer = self._outer.copy()
        outer.update(inner.digest())
        expected = outer.hexdigest().encode()
        return body if hmac.compare_digest(expected, payload[-SIG_CHARS - 2 : -2]) else None


def open_sealed(payload: bytes, topic: str, key: bytes) -> bytes | None:
    """Return the body of one sealed payload, or None if its signature is not right."""
    return Verifier(key, topic).open(payload)
