"""What a device says of its software, on its events topic; sealed as seawall/1 with its key.

``running``: what runs, at the first connection of a boot and when a trial is
confirmed. ``update``: how far an order to update has come, and why it ended.
Other events are none of this module's.
"""

from __future__ import annotations

from typing import Final

from seawall.errors import InvalidNameError, ProtocolError
from seawall.model.release import parse_version
from seawall.model.rollout import DeviceReport, RunningReport, UpdateReport, WayState
from seawall.wire.commands import Reply
from seawall.wire.payload import MAX_NUMBER, Member

MAX_REASON_CHARS: Final = 60
SLOTS: Final = frozenset({"a", "b"})
_TOLD: Final = {
    state.value: state
    for state in (
        WayState.DOWNLOADING,
        WayState.VERIFIED,
        WayState.TRYING,
        WayState.CONFIRMED,
        WayState.ROLLED_BACK,
        WayState.REFUSED,
        WayState.FAILED,
    )
}
_UNSUCCESSFUL: Final = frozenset({WayState.ROLLED_BACK, WayState.REFUSED, WayState.FAILED})


def report_of_event(device_id: str, members: dict[str, Member], at_ms: int) -> DeviceReport | None:
    """Return what an event says of a device's software; None if it is about something else.

    Args:
        device_id: Who sent it.
        members: Of its body, which was verified.
        at_ms: When it came, UTC milliseconds.

    Raises:
        ProtocolError: it is of these kinds, and a member is missing or out of range.
    """
    kind = members.get("event")
    if kind == "running":
        return RunningReport(
            device_id,
            at_ms,
            _version(members),
            _slot(members),
            _flag(members, "trial"),
            _number(members, "boot"),
        )
    if kind == "update":
        return _update(device_id, members, at_ms)
    return None


def report_of_reply(device_id: str, reply: Reply, at_ms: int) -> UpdateReport:
    """Return what a reply says if it answers an order to update; the keeper knows whether."""
    if reply.ok:
        return UpdateReport(device_id, at_ms, reply.re, WayState.OFFERED)
    again = reply.members.get("again") is True
    reason = _reason(reply.members) or "not-obeyed"
    return UpdateReport(device_id, at_ms, reply.re, WayState.REFUSED, reason=reason, again=again)


def _update(device_id: str, members: dict[str, Member], at_ms: int) -> UpdateReport:
    state = _TOLD.get(str(members.get("state")))
    if state is None:
        raise _malformed('"state" is none that an update has')
    percent = None
    if state is WayState.DOWNLOADING and members.get("percent") is not None:
        percent = _number(members, "percent")
        if percent > 100:
            raise _malformed('"percent" is more than 100')
    _version(members)
    is_unsuccessful = state in _UNSUCCESSFUL
    return UpdateReport(
        device_id,
        at_ms,
        _number(members, "re"),
        state,
        _number(members, "boot"),
        percent,
        (_reason(members) or "unknown") if is_unsuccessful else "",
        is_unsuccessful and members.get("again") is not None and _flag(members, "again"),
    )


def _version(members: dict[str, Member]) -> str:
    version = members.get("version")
    try:
        return parse_version(version if isinstance(version, str) else "").text
    except InvalidNameError:
        raise _malformed('"version" is no version') from None


def _slot(members: dict[str, Member]) -> str:
    slot = members.get("slot")
    if not isinstance(slot, str) or slot not in SLOTS:
        raise _malformed('"slot" is neither "a" nor "b"')
    return slot


def _flag(members: dict[str, Member], name: str) -> bool:
    value = members.get(name)
    if not isinstance(value, bool):
        raise _malformed(f'"{name}" is neither true nor false')
    return value


def _number(members: dict[str, Member], name: str) -> int:
    value = members.get(name)
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise _malformed(f'"{name}" is not a whole number from 0 to 2**53 - 1')
    return value


def _reason(members: dict[str, Member]) -> str:
    """Return the reason; it is shown to people, so only what can stand in a line of text."""
    reason = members.get("reason")
    text = reason if isinstance(reason, str) else ""
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_REASON_CHARS])


def _malformed(sentence: str) -> ProtocolError:
    return ProtocolError(sentence, reference="malformed-payload")
