"""What devices report and answer, cut to a size for the log of events."""

from __future__ import annotations

import json
from typing import Final

from seawall.model.command import MAX_ANSWER_CHARS, CommandAnswer
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


def reply_answer(device_id: str, body: bytes, at_ms: int) -> CommandAnswer:
    """Return a device's answer as the queue of commands keeps it.

    Raises:
        ProtocolError: if the body is not a reply.
    """
    reply = parse_reply(body)
    text = body.decode()
    if len(text) > MAX_ANSWER_CHARS:  # cut in two it would be no JSON
        text = json.dumps({"re": reply.re, "ok": reply.ok})
    return CommandAnswer(device_id, reply.re, at_ms, text)


def _event(kind: str, device_id: str, members: dict[str, Member], at_ms: int) -> Event:
    detail = {
        name[:MAX_TEXT_CHARS]: _text(value) for name, value in list(members.items())[:MAX_DETAILS]
    }
    return Event(at_ms, kind, device_id, f"device:{device_id}", detail)


def _text(value: Member) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)[:MAX_TEXT_CHARS]
