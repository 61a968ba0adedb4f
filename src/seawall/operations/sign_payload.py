"""Signs a payload that a person gives."""

from __future__ import annotations

from seawall.errors import ProtocolError, UsageError
from seawall.model.device import Profile
from seawall.operations.verify_payload import required_topic
from seawall.wire.envelope import seal
from seawall.wire.payload import parse_members
from seawall.wire.plain import parse_plain, sign_plain

_SPACE = b" \t\r\n"


def sign_payload_text(text: bytes, key: bytes, profile: Profile, topic: str | None = None) -> bytes:
    """Return a payload with its signature, as a device would send it.

    Args:
        text: A JSON object; white space around it does not count.
        key: The device's secret.
        profile: How the device signs. In seawall/1 the bytes are signed as they are.
        topic: Where it will be published; seawall/1 signs it too, plain has no use for it.

    Raises:
        UsageError: the topic is missing, or the text is not a JSON object that can be signed.
    """
    try:
        if profile is Profile.PLAIN:
            return sign_plain(parse_plain(text.decode()), key).encode()
        body = text.strip(_SPACE)
        parse_members(body)
        return seal(body, required_topic(topic), key)
    except UnicodeDecodeError:
        raise UsageError("the payload is not valid UTF-8") from None
    except ProtocolError as error:
        raise UsageError(
            f"the payload cannot be signed: {error.message}", hint=error.hint
        ) from None
