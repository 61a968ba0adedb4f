"""Strict reading of the flat JSON object that a device signs.

Everything that two readers of JSON could understand differently is refused:
a name twice (RFC 8259, section 4, leaves its meaning open), NaN, a number that
a double does not hold, a second ``sig``, nested values. What is accepted
therefore means the same to the device that signed it and to whoever reads it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Final, NamedTuple, NoReturn

import msgspec

from seawall.errors import InvalidNameError, ProtocolError
from seawall.model.ids import check_metric
from seawall.model.reading import MAX_TS_MS, MIN_TS_MS, RESERVED_MEMBERS

MAX_NUMBER: Final = 2**53 - 1
"""Largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""
MAX_MEMBERS: Final = 64

Member = str | int | float | bool | None
_Whole = Annotated[int, msgspec.Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]

_Any = _Whole | float | str | bool | None
_Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_NUMBER)]
_Time = Annotated[int, msgspec.Meta(ge=MIN_TS_MS, lt=MAX_TS_MS)]

_decode: Final = msgspec.json.Decoder(dict[str, _Any]).decode
_NUMBER_TYPES: Final = (float, int)
_MAX_SHAPES: Final = 1024

_shapes: dict[tuple[str, ...], tuple[str, ...]] = {}
"""Names of members, in order, to those that can be metrics. A device sends the same
few shapes all its life, so each is checked once. Holds only shapes that are allowed,
and starts anew when full."""


class ParsedBody(NamedTuple):
    """What ingest needs of a reading's body.

    Attributes:
        boot: Boot counter, 0 to 2**53 - 1.
        seq: Sequence number, 0 to 2**53 - 1.
        ts_ms: Time of measurement, UTC milliseconds; None without a clock.
    """

    boot: int
    seq: int
    ts_ms: int | None


def parse_body(body: bytes) -> ParsedBody:
    """Check the body of a reading and return its counters.

    Args:
        body: The JSON object without its signature.

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    boot, seq, ts_ms = reading_counters(body)
    return ParsedBody(boot, seq, ts_ms)


def reading_counters(body: bytes) -> tuple[int, int, int | None]:
    """Do the work of `parse_body` for a loop: return (boot, seq, ts_ms).

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    # Bad signatures never come here, so these errors are rare: devices at fault.
    try:
        members = _decode(body)
        # A colon at least for each member as written: no more than names, so none is double.
        if body.count(b":") != len(members):
            _check_names_differ(body)
        for name in _shapes.get(tuple(members)) or _check_shape(members):
            if type(members[name]) in _NUMBER_TYPES:
                break
        else:
            raise _malformed("there is no number to store beside the reserved members")
        boot = members["boot"]
        seq = members["seq"]
        if type(boot) is not int or type(seq) is not int or boot < 0 or seq < 0:
            _refuse_counters(members)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as error:
        raise _told(error) from None
    ts_ms = members.get("ts")
    if ts_ms is None:
        if "ts" in members:
            raise _malformed('"ts" is null; leave it out instead')
    elif type(ts_ms) is not int or not MIN_TS_MS <= ts_ms < MAX_TS_MS:
        raise _malformed('"ts" is not a time in UTC milliseconds from 2000 to 2100')
    if body[0] != 0x7B:
        raise _malformed("there is white space before the object")
    return boot, seq, ts_ms


class ShapeReader(NamedTuple):
    """Reads the bodies of one shape, three times as fast as `parse_body`.

    A body with exactly ``colons`` colons that ``decode`` accepts is one that
    `parse_body` accepts, with the same ``boot``, ``seq`` and ``ts``: each of as many
    required members is there, so each is there once, and there are no others. About
    any other body it says nothing (`MISFITS` are raised): ask `parse_body`.
    """

    decode: Callable[[bytes], Any]
    colons: int


MISFITS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NO_SHAPE: Final = ShapeReader(_decode, -1)
"""Of no body."""

_readers: dict[tuple[str, ...], ShapeReader] = {}


def shape_reader(body: bytes) -> ShapeReader:
    """Return the reader for bodies like one that `parse_body` has accepted."""
    members = _decode(body)
    candidates = _check_shape(members)
    number = next(name for name in candidates if type(members[name]) in _NUMBER_TYPES)
    shape = (number, *members)
    reader = _readers.get(shape)
    if reader is None:
        if len(_readers) >= _MAX_SHAPES:
            _readers.clear()
        reader = _readers[shape] = _make_reader(number, members)
    return reader


def _make_reader(number: str, members: dict[str, Any]) -> ShapeReader:
    fields: list[Any] = [("boot", _Counter), ("seq", _Counter)]
    fields += [
        (f"m{at}", _Whole | float if name == number else _Any, msgspec.field(name=name))
        for at, name in enumerate(members)
        if name not in RESERVED_MEMBERS
    ]
    if "ts" in members:
        fields.append(("ts", _Time))
    else:
        fields.append(("ts", None, None))
    shape = msgspec.defstruct("Shape", fields, kw_only=True, gc=False)
    return ShapeReader(msgspec.json.Decoder(shape).decode, len(members))


def parse_members(body: bytes) -> dict[str, Member]:
    """Read any flat body: an event, a status, what a person wants verified.

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    try:
        members = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _told(error) from None
    if body.count(b":") != len(members):
        _check_names_differ(body)
    if len(members) > MAX_MEMBERS:
        raise _malformed(f"there are {len(members)} members, more than {MAX_MEMBERS}")
    if "sig" in members:
        raise _malformed('there is a second "sig"')
    return members


def plain_counters(signed: bytes) -> tuple[int, int, int | None]:
    """Return (boot, seq, ts_ms) of a message in the plain profile.

    Clients that people already have know nothing of counters: the time then
    tells messages apart, as boot 0.

    Args:
        signed: The object without its signature, as `json.dumps` writes it.

    Raises:
        ProtocolError: with one sentence that says what is wrong.
    """
    members = parse_members(signed)
    if "boot" in members or "seq" in members:
        return reading_counters(signed)
    if "ts" not in members:
        raise _malformed('there is neither "boot" and "seq" nor "ts" to tell messages apart')
    _, _, ts_ms = reading_counters(signed[:-1] + b', "boot": 0, "seq": 0}')
    assert ts_ms is not None  # noqa: S101  it is there, and null was refused
    return 0, ts_ms, ts_ms


def _check_shape(members: dict[str, Any]) -> tuple[str, ...]:
    """Check all names once, and return those that can be metrics."""
    if len(members) > MAX_MEMBERS:
        raise _malformed(f"there are {len(members)} members, more than {MAX_MEMBERS}")
    if "sig" in members:
        raise _malformed('there is a second "sig"')
    for name in ("boot", "seq"):
        if name not in members:
            raise _malformed(f'"{name}" is missing')
    candidates = tuple(name for name in members if name not in RESERVED_MEMBERS)
    for name in candidates:
        try:
            check_metric(name)
        except InvalidNameError as error:
            raise _malformed(error.message) from None
    if not candidates:
        raise _malformed("there is no number to store beside the reserved members")
    if len(_shapes) >= _MAX_SHAPES:
        _shapes.clear()
    _shapes[tuple(members)] = candidates
    return candidates


def _check_names_differ(body: bytes) -> None:
    """Refuse a name that stands twice; exact, and only needed if a text holds a colon."""

    def collect(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            double = next(name for name in names if names.count(name) > 1)
            raise _malformed(f"{double[:40]!r} stands there twice")

    try:
        json.loads(body, object_pairs_hook=collect)
    except (ValueError, RecursionError) as error:  # pragma: no cover  msgspec has read it before
        raise _told(error) from None


def _refuse_counters(members: dict[str, Any]) -> NoReturn:
    for name in ("boot", "seq"):
        value = members[name]
        if type(value) is not int or value < 0:
            raise _malformed(f'"{name}" is not a whole number from 0 to 2**53 - 1')
    raise AssertionError("unreachable")


def _told(error: Exception) -> ProtocolError:
    """Turn what the JSON reader says into our words; never quotes the payload."""
    if isinstance(error, KeyError):
        return _malformed(f'"{error.args[0]}" is missing')
    if isinstance(error, UnicodeDecodeError):
        return _malformed("it is not valid UTF-8")
    if isinstance(error, RecursionError):
        return _malformed("it is nested too deeply")
    text = str(error)
    if "got `object`" in text or "got `array`" in text:
        return _malformed(
            "a member holds an object or an array" if "$" in text else "it is not a JSON object"
        )
    if isinstance(error, msgspec.ValidationError) and "$" in text:
        return _malformed("a number is out of range: whole ones within ±(2**53 - 1), all finite")
    if isinstance(error, msgspec.ValidationError):
        return _malformed("it is not a JSON object")
    return _malformed(f"it is not valid JSON: {text}")


def _malformed(sentence: str) -> ProtocolError:
    return ProtocolError(sentence, reference="malformed-payload")
