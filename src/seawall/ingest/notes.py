"""What devices report and answer, cut to a size for the log of events."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

from seawall.model.command import MAX_ANSWER_CHARS, CommandAnswer
from seawall.model.event import Event
from seawall.model.rollout import DeviceReport
from seawall.model.topics import Channel, DeviceTopic
from seawall.wire.commands import parse_reply
from seawall.wire.payload import Member, parse_members
from seawall.wire.update_events import report_of_event, report_of_reply

MAX_DETAILS: Final = 16
MAX_TEXT_CHARS: Final = 200


class Note(NamedTuple):
    """What a message is to the log, to the queue of commands, and to roll-outs."""

    event: Event
    answers: tuple[CommandAnswer, ...] = ()
    reports: tuple[DeviceReport, ...] = ()


def note_of(place: DeviceTopic, body: bytes, at_ms: int) -> Note:
    """Return what a device's event or reply is to the others.

    Raises:
        ProtocolError: if the body is not a flat JSON object, or not what it says it is.
    """
    device_id = place.device_id
    if place.channel is Channel.REPLIES:
        answer = reply_answer(device_id, body, at_ms)
        report = report_of_reply(device_id, parse_reply(body), at_ms)
        return Note(reply_note(device_id, body, at_ms), (answer,), (report,))
    told = report_of_event(device_id, parse_members(body), at_ms)
    return Note(event_note(device_id, body, at_ms), reports=() if told is None else (told,))


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
