"""The plain profile: for clients that people already have.

``sig`` is the hex HMAC-SHA256 (RFC 2104) over ``json.dumps(body,
sort_keys=True)``, sent as a member of the same object, in any place. It signs
neither topic nor exact bytes, and both sides must write numbers alike, which
Python does with itself; seawall/1 (`seawall.wire.envelope`) needs none of that.
"""

from __future__ import annotations

import hmac
import json
import math
from typing import Any, Final, NamedTuple, NoReturn

from seawall.errors import ProtocolError

_SIG_CHARS: Final = 64


class SignedMembers(NamedTuple):
    """A payload taken apart, not verified yet.

    Attributes:
        members: The object without ``sig``.
        sig: 64 ASCII characters.
    """

    members: dict[str, Any]
    sig: str


class PlainBody(NamedTuple):
    """A verified payload.

    Attributes:
        members: The object without ``sig``, in the order it was sent.
        signed: The bytes that were signed: the members sorted by name.
    """

    members: dict[str, Any]
    signed: bytes


def sign_plain(payload: dict[str, Any], key: bytes) -> str:
    """Return a payload as JSON text with its signature as the last member.

    Args:
        payload: What to send; it is not changed.
        key: The shared secret.

    Raises:
        ProtocolError: if it holds ``sig`` already, has names that are no text,
            or something that JSON cannot say (NaN, bytes).
    """
    if "sig" in payload:
        raise ProtocolError('a payload to be signed holds "sig" already', hint="take it out")
    try:
        # What is signed is what the other side will read: json.dumps turns 1 into "1",
        # which sorts otherwise.
        members = _strict_object(json.dumps(payload, allow_nan=False))
        signed = _canonical(members)
    except (TypeError, ValueError, RecursionError) as error:
        raise ProtocolError(f"the payload cannot be written as JSON: {error}") from None
    if members.keys() != payload.keys():
        raise ProtocolError("a payload has a name that is not a text")
    sig = hmac.digest(key, signed, "sha256").hex()
    return json.dumps({**members, "sig": sig})


def open_plain(text: str, key: bytes) -> PlainBody | None:
    """Return a payload if its signature is right, else None. Never raises on any text.

    The signature is 64 lower-case hex digits, compared in constant time.
    """
    try:
        members, sig = take_apart(text)
    except ProtocolError:
        return None
    signed = _canonical(members)
    expected = hmac.digest(key, signed, "sha256").hex()
    return PlainBody(members, signed) if hmac.compare_digest(expected, sig) else None


def take_apart(text: str) -> SignedMembers:
    """Return members and signature of a payload, without verifying it.

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    members = parse_plain(text)
    sig = members.pop("sig", None)
    if sig is None:
        raise ProtocolError('there is no "sig"')
    if not isinstance(sig, str) or len(sig) != _SIG_CHARS or not sig.isascii():
        raise ProtocolError('"sig" is not 64 hex digits')
    return SignedMembers(members, sig)


def parse_plain(text: str) -> dict[str, Any]:
    """Read a JSON object strictly; it may be nested.

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    try:
        members = _strict_object(text)
        _canonical(members)  # what is too deep to be written could not be judged either
    except RecursionError:
        raise ProtocolError("it is nested too deeply") from None
    except ValueError as error:
        raise ProtocolError(f"it is not valid JSON: {error}") from None
    return members


def _canonical(members: dict[str, Any]) -> bytes:
    return json.dumps(members, sort_keys=True).encode()


def _strict_object(text: str) -> dict[str, Any]:
    value = json.loads(
        text,
        object_pairs_hook=_distinct,
        parse_constant=_no_constant,
        parse_float=_finite,
    )
    if not isinstance(value, dict):
        raise ProtocolError("it is not a JSON object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ProtocolError("a name stands there twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ProtocolError(f"{name} is not a number that JSON knows (RFC 8259, section 6)")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ProtocolError("a number is too large for a double")
    return value
