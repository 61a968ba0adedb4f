"""Verifies a payload that a person gives."""

from __future__ import annotations

from dataclasses import dataclass

from seawall.errors import ProtocolError, UsageError
from seawall.model.device import Profile
from seawall.model.reading import Reason
from seawall.model.topics import Channel, parse_topic
from seawall.wire.envelope import SIG_MARK, SUFFIX_BYTES, open_sealed
from seawall.wire.payload import parse_body, parse_members
from seawall.wire.plain import open_plain, take_apart

_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class PayloadVerdict:
    """Whether a payload is taken.

    Attributes:
        body: What was signed, without the signature; None if it is refused.
        reason: Why it is refused; None if it is taken.
        detail: What exactly is wrong; empty if it is taken.
    """

    body: bytes | None
    reason: Reason | None = None
    detail: str = ""


def verify_payload_text(
    text: bytes, key: bytes, profile: Profile, topic: str | None = None
) -> PayloadVerdict:
    """Judge a payload as ingest would, but for replays.

    Args:
        text: The payload; white space around it does not count (a file's last newline).
        key: The device's secret.
        profile: How the device signs.
        topic: Where it was published; needed for seawall/1. On a topic of readings the
            body must be a reading.

    Raises:
        UsageError: the topic is missing.
    """
    text = text.strip(_SPACE)
    if profile is Profile.PLAIN:
        return _verify_plain(text, key)
    where = required_topic(topic)
    body = open_sealed(text, where, key)
    if body is None:
        signed = text[-SUFFIX_BYTES : -SUFFIX_BYTES + len(SIG_MARK)] == SIG_MARK
        detail = (
            "the signature does not match the body, the topic and the key"
            if signed
            else 'the payload does not end with ,"sig":"..."}'
        )
        return PayloadVerdict(None, Reason.BAD_SIGNATURE, detail)
    place = parse_topic(where)
    try:
        if place is not None and place.channel is Channel.READINGS:
            parse_body(body)
        else:
            parse_members(body)
    except ProtocolError as error:
        return PayloadVerdict(None, Reason.MALFORMED, error.message)
    return PayloadVerdict(body)


def required_topic(topic: str | None) -> str:
    """Return the topic.

    Raises:
        UsageError: there is none, and seawall/1 signs it.
    """
    if topic:
        return topic
    raise UsageError("the profile seawall/1 signs the topic too", hint="devices/ID/readings")


def _verify_plain(text: bytes, key: bytes) -> PayloadVerdict:
    try:
        decoded = text.decode()
        take_apart(decoded)
    except UnicodeDecodeError:
        return PayloadVerdict(None, Reason.MALFORMED, "it is not valid UTF-8")
    except ProtocolError as error:
        return PayloadVerdict(None, Reason.MALFORMED, error.message)
    opened = open_plain(decoded, key)
    if opened is None:
        detail = "the signature does not match the body and the key"
        return PayloadVerdict(None, Reason.BAD_SIGNATURE, detail)
    return PayloadVerdict(opened.signed)
