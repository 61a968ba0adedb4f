"""What devices report and answer, cut to a size for the log of events."""

from __future__ import annotations

from typing import Final

from seawall.model.event import Event
from seawall.wire.commands import parse_reply
from seawall.wire.payload import Member, parse_members

MAX_DETAILS: Final = 16
MAX_TEXT_CHARS: Final = 200


def event_note(device_id: str, body: bytes, at_ms: int) -> Event:
    """Return the entry for something that a device reports.

    Raises:
        ProtocolError: if the body is not a flat JSON object.
    """
    return _event("device-event", device_id, parse_members(body), at_ms)


def reply_note(device_id: str, body: bytes, at_ms: int) -> Event:
    """Return the entry for a device's answer to a command.

    Raises:
        ProtocolError: if the body is not a reply.
    """
    parse_reply(body)
    return _event("device-reply", device_id, parse_members(body), at_ms)


def _event(kind: str, device_id: str, members: dict[str, Member], at_ms: int) -> Event:
    detail = {
        name[:MAX_TEXT_CHARS]: _text(value) for name, value in list(members.items())[:MAX_DETAILS]
    }
    return Event(at_ms, kind, device_id, f"device:{device_id}", detail)


def _text(value: Member) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)[:MAX_TEXT_CHARS]
