"""Orders to a device, and what it says back; all sealed as seawall/1 with its key.

A command has a number ``n`` that is greater than every one before, durably on
both sides, so that a recorded command cannot be played again. ``stored`` has
none: it says that everything up to (boot, seq) is settled, and saying it twice
changes nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from seawall.errors import InvalidNameError, ProtocolError, UsageError
from seawall.model.release import parse_version
from seawall.model.topics import Channel, topic_of
from seawall.wire.envelope import seal

MAX_NUMBER: Final = 2**53 - 1
"""Largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""
MIN_INTERVAL_MS: Final = 100
MAX_INTERVAL_MS: Final = 86_400_000
MIN_TRIAL_S: Final = 1
MAX_TRIAL_S: Final = 3600
MAX_TARGET_CHARS: Final = 100
NUMBERED: Final = frozenset({"identify", "restart", "interval", "update", "update-abort"})

_decode: Final = msgspec.json.Decoder().decode


class Command(NamedTuple):
    """A command taken apart.

    Attributes:
        name: ``identify``, ``restart``, ``interval``, ``update``, ``update-abort`` or ``stored``.
        n: Its number; None for ``stored``.
        interval_ms: For ``interval``, milliseconds.
        boot: For ``stored``.
        seq: For ``stored``.
        target: For ``update``: TUF path of the manifest.
        version: For ``update``: what the device will run.
        trial_s: For ``update``: so long it tries the version, seconds.
    """

    name: str
    n: int | None = None
    interval_ms: int | None = None
    boot: int | None = None
    seq: int | None = None
    target: str | None = None
    version: str | None = None
    trial_s: int | None = None


class Reply(NamedTuple):
    """A device's answer: to which command, and whether it obeyed."""

    re: int
    ok: bool
    members: dict[str, Any]


def identify(n: int) -> bytes:
    """Return the body of "show yourself": the device blinks or logs."""
    return b'{"cmd":"identify","n":%d}' % _checked("n", n)


def restart(n: int) -> bytes:
    """Return the body of "start again"."""
    return b'{"cmd":"restart","n":%d}' % _checked("n", n)


def set_interval(n: int, interval_ms: int) -> bytes:
    """Return the body of "measure every so many milliseconds"."""
    if not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
        raise UsageError(
            f"an interval of {interval_ms} ms is out of range",
            hint=f"{MIN_INTERVAL_MS} to {MAX_INTERVAL_MS} ms",
        )
    return b'{"cmd":"interval","n":%d,"ms":%d}' % (_checked("n", n), interval_ms)


def update(n: int, target: str, version: str, trial_s: int) -> bytes:
    """Return the body of "get this release, try it for so many seconds, and keep it if it works".

    Raises:
        InvalidNameError: the version is none.
        UsageError: the target, or the time to try it, is out of range.
    """
    if not 0 < len(target) <= MAX_TARGET_CHARS or not target.isascii() or not target.isprintable():
        raise UsageError(f"target {target[:40]!r} is not allowed")
    if not MIN_TRIAL_S <= trial_s <= MAX_TRIAL_S:
        raise UsageError(
            f"a trial of {trial_s} s is out of range", hint=f"{MIN_TRIAL_S} to {MAX_TRIAL_S} s"
        )
    return b'{"cmd":"update","n":%d,"target":%b,"version":"%b","trial_s":%d}' % (
        _checked("n", n),
        msgspec.json.encode(target),
        parse_version(version).text.encode(),
        trial_s,
    )


def abort_update(n: int) -> bytes:
    """Return the body of "drop the order to update, unless you try it already"."""
    return b'{"cmd":"update-abort","n":%d}' % _checked("n", n)


def stored(boot: int, seq: int) -> bytes:
    """Return the body of "everything up to (boot, seq) is settled"."""
    return b'{"cmd":"stored","boot":%d,"seq":%d}' % (_checked("boot", boot), _checked("seq", seq))


def seal_command(body: bytes, device_id: str, key: bytes) -> tuple[str, bytes]:
    """Return the topic and the sealed payload of a command for a device."""
    topic = topic_of(device_id, Channel.COMMANDS)
    return topic, seal(body, topic, key)


def parse_command(body: bytes) -> Command:
    """Take the body of a command apart, as a device does.

    Raises:
        ProtocolError: if it is not one, or a member is missing or out of range.
    """
    members = _members(body)
    name = members.get("cmd")
    if name == "stored":
        return Command("stored", boot=_number(members, "boot"), seq=_number(members, "seq"))
    if not isinstance(name, str) or name not in NUMBERED:
        raise ProtocolError("a command has no known name", reference="malformed-payload")
    n = _number(members, "n")
    if name == "update":
        return _update(members, n)
    if name != "interval":
        return Command(name, n)
    interval_ms = _number(members, "ms")
    if not MIN_INTERVAL_MS <= interval_ms <= MAX_INTERVAL_MS:
        raise ProtocolError("an interval is out of range", reference="malformed-payload")
    return Command(name, n, interval_ms=interval_ms)


def parse_reply(body: bytes) -> Reply:
    """Take the body of a reply apart.

    Raises:
        ProtocolError: if it does not say to what it answers and whether it obeyed.
    """
    members = _members(body)
    ok = members.get("ok")
    if not isinstance(ok, bool):
        raise ProtocolError('a reply has no "ok" of true or false', reference="malformed-payload")
    rest = {name: value for name, value in members.items() if name not in {"re", "ok"}}
    return Reply(_number(members, "re"), ok, rest)


def _update(members: dict[str, Any], n: int) -> Command:
    target, version = members.get("target"), members.get("version")
    if not isinstance(target, str) or not 0 < len(target) <= MAX_TARGET_CHARS:
        raise ProtocolError("an update has no target", reference="malformed-payload")
    try:
        parse_version(version if isinstance(version, str) else "")
    except InvalidNameError as error:
        raise ProtocolError(error.message, reference="malformed-payload") from None
    trial_s = _number(members, "trial_s")
    if not MIN_TRIAL_S <= trial_s <= MAX_TRIAL_S:
        raise ProtocolError("a trial is out of range", reference="malformed-payload")
    return Command("update", n, target=target, version=version, trial_s=trial_s)


def _checked(name: str, value: int) -> int:
    if not 0 <= value <= MAX_NUMBER:
        raise UsageError(f'"{name}" of {value} is out of range', hint=f"0 to {MAX_NUMBER}")
    return value


def _members(body: bytes) -> dict[str, Any]:
    try:
        members = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProtocolError(f"not JSON: {error}", reference="malformed-payload") from None
    if not isinstance(members, dict):
        raise ProtocolError("not a JSON object", reference="malformed-payload")
    return members


def _number(members: dict[str, Any], name: str) -> int:
    value = members.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_NUMBER:
        raise ProtocolError(
            f'"{name}" is not a whole number from 0 to 2**53 - 1', reference="malformed-payload"
        )
    return value
