"""Signing and verifying for programs of one's own; importable from `seawall`."""

from __future__ import annotations

import json
from typing import Any

from seawall.errors import ProtocolError
from seawall.wire.envelope import open_sealed, seal
from seawall.wire.payload import parse_members
from seawall.wire.plain import open_plain, sign_plain


def sign_payload(payload: dict[str, Any], key: bytes | str) -> str:
    """Sign a payload in the plain profile.

    ``sig`` is the hex HMAC-SHA256 over ``json.dumps(payload, sort_keys=True)``.

    Args:
        payload: What to send, without ``sig``; it is not changed.
        key: The device's secret; a text stands for its UTF-8 bytes.

    Returns:
        JSON text: the payload with ``sig`` as its last member.

    Raises:
        ProtocolError: if it holds ``sig`` already, has a name that is no text, or
            holds something that JSON cannot say (NaN, bytes).
    """
    return sign_plain(payload, _bytes(key))


def verify_payload(text: str, key: bytes | str) -> dict[str, Any] | None:
    """Verify a payload in the plain profile.

    Args:
        text: JSON text as it was received.
        key: The device's secret; a text stands for its UTF-8 bytes.

    Returns:
        The payload without ``sig`` if the signature is right; None if it is not, or
        if the text is malformed in any way (no JSON, a name twice, NaN).
    """
    opened = open_plain(text, _bytes(key))
    return None if opened is None else opened.members


def seal_payload(body: bytes | dict[str, Any], topic: str, key: bytes | str) -> bytes:
    """Sign a body in the profile seawall/1.

    Args:
        body: A flat JSON object: its exact bytes, or a dict to be written compactly.
        topic: The MQTT topic that it will be published on; it is signed too.
        key: The device's secret, 32 bytes; a text stands for its UTF-8 bytes.

    Returns:
        What goes on the wire.

    Raises:
        ProtocolError: if it is no flat JSON object with at least one member.
    """
    if isinstance(body, dict):
        try:
            body = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise ProtocolError(f"the payload cannot be written as JSON: {error}") from None
    parse_members(body)
    return seal(body, topic, _bytes(key))


def open_payload(payload: bytes | str, topic: str, key: bytes | str) -> dict[str, Any] | None:
    """Verify a payload in the profile seawall/1.

    Args:
        payload: As it was received.
        topic: The MQTT topic that it was received on.
        key: The device's secret; a text stands for its UTF-8 bytes.

    Returns:
        The body's members if the signature is right; None if it is not, or if the
        body is not a flat JSON object.
    """
    try:
        body = open_sealed(_bytes(payload), topic, _bytes(key))
        return None if body is None else dict(parse_members(body))
    except (ProtocolError, UnicodeEncodeError):
        return None


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)
