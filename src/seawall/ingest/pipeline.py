"""Judges messages: verify, parse, refuse replays. Pure: no clock, no I/O.

A message is judged in this order: whose topic it is, the state of the device,
its size, the signature, the form of the body, and whether it was seen before.
Nothing is parsed before its signature is verified.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from seawall.errors import ProtocolError
from seawall.ingest.notes import note_of
from seawall.ingest.presence import StatusChange, parse_status
from seawall.ingest.progress import Progress
from seawall.ingest.replay import MASK, History, Window, histories
from seawall.model.command import CommandAnswer
from seawall.model.device import DeviceStatus, Profile
from seawall.model.event import Event
from seawall.model.message import Inbound
from seawall.model.reading import (
    MAX_KEPT_PAYLOAD_BYTES,
    Batch,
    Reading,
    Reason,
    Refusal,
    ReplayWindow,
)
from seawall.model.rollout import DeviceReport
from seawall.model.topics import UPWARD, Channel, DeviceTopic, parse_topic, topic_of
from seawall.wire.envelope import MIN_WIRE_BYTES, SIG_MARK, SUFFIX_BYTES, Verifier, open_sealed
from seawall.wire.payload import (
    MISFITS,
    NO_SHAPE,
    plain_counters,
    reading_counters,
    shape_reader,
)
from seawall.wire.plain import open_plain

MAX_AHEAD_MS: Final = 86_400_000
"""A reading may be dated a day ahead of the server at most; the past is free (an outbox)."""
SENDER_WINDOW: Final = 64
"""A device holds back further readings while half as many are not known to be stored."""
MAX_KEPT_TOPIC_CHARS: Final = 200

_MAX_LANE_SHAPES: Final = 32
"""Making a reader takes as long as fifty readings, so no device has more of them made."""
_OPEN_BRACE: Final = 0x7B
_BEFORE_SIG: Final = slice(None, -SUFFIX_BYTES)
_SIG: Final = slice(-SUFFIX_BYTES, None)
_BY_STATUS: Final = {
    DeviceStatus.DISABLED: (Reason.DISABLED_DEVICE, "the device is disabled"),
    DeviceStatus.REVOKED: (Reason.REVOKED_DEVICE, "the device is revoked"),
}


class DeviceKey(NamedTuple):
    """What judging a device's messages takes."""

    key: bytes
    profile: Profile
    status: DeviceStatus


class _Lane:
    """One device's readings topic, ready for the loop.

    Attributes:
        device_id: Whose.
        inner: Copies the inner hash state of its key and topic.
        outer: Copies the outer one.
        history: Its replay windows.
        decode: Reads bodies of the shape that came last (`ShapeReader`).
        colons: How many such a body has.
    """

    __slots__ = ("_shapes_left", "colons", "decode", "device_id", "history", "inner", "outer")

    def __init__(self, device_id: str, verifier: Verifier, history: History) -> None:
        inner, outer = verifier.states
        self.device_id = device_id
        self.inner = inner.copy
        self.outer = outer.copy
        self.history = history
        self.decode, self.colons = NO_SHAPE
        self._shapes_left = _MAX_LANE_SHAPES

    def read(self, body: bytes) -> tuple[int, int, int | None]:
        """Return (boot, seq, ts_ms) of a body of another shape, which becomes the lane's.

        Raises:
            ProtocolError: with one sentence that says what is wrong.
        """
        counters = reading_counters(body)
        if self._shapes_left:
            self._shapes_left -= 1
            self.decode, self.colons = shape_reader(body)
        return counters


@dataclass(slots=True)
class Judgement:
    """What came of a list of messages.

    Attributes:
        batch: What is to be committed.
        late: Those of the batch's readings that are not the newest of their device: a gap
            that was filled.
        duplicates: Messages that were stored before and sent again.
        statuses: What devices said of their connection, in order.
        events: What devices reported and answered, for the log.
        answers: What devices answered, for the queue of commands.
        reports: What devices said of their software, for roll-outs.
        notices: Up to where devices may be told ``stored`` after the commit.
    """

    batch: Batch = field(default_factory=Batch)
    late: list[Reading] = field(default_factory=list)
    duplicates: int = 0
    statuses: list[StatusChange] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    answers: list[CommandAnswer] = field(default_factory=list)
    reports: list[DeviceReport] = field(default_factory=list)
    notices: dict[str, tuple[int, int]] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818  never leaves this module
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Pipeline:
    """The judge, and what it remembers.

    Args:
        max_payload_bytes: Larger payloads are refused.
        windows: Replay windows as the store kept them.
        track_progress: Whether devices are told ``stored`` (see `Progress`).
    """

    def __init__(
        self,
        *,
        max_payload_bytes: int,
        windows: Sequence[ReplayWindow] = (),
        track_progress: bool = False,
    ) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._keys: dict[str, DeviceKey] = {}
        self._lanes: dict[str, _Lane] = {}
        self._histories = histories(windows)
        self._judged = 0
        self._progress: Progress | None = None
        if track_progress:
            self._progress = Progress()
            for device_id, history in self._histories.items():
                if history.is_gapless(SENDER_WINDOW):
                    self._progress.resume(device_id, *history.newest())

    def set_keys(self, keys: Mapping[str, DeviceKey]) -> None:
        """Take a new registry; it applies to every message judged from now on."""
        for topic, lane in list(self._lanes.items()):
            if keys.get(lane.device_id) != self._keys.get(lane.device_id):
                del self._lanes[topic]
        self._keys = dict(keys)

    def judge(self, messages: Sequence[Inbound]) -> Judgement:
        """Judge messages in order. Never raises, whatever they hold.

        The windows move at once, so the batch must be committed, however often
        that has to be tried, before anything is acknowledged.
        """
        self._judged += 1
        judgement = Judgement()
        changed: list[Window] = []
        self._judge_readings(messages, judgement, changed)
        judgement.batch.windows.extend([window.kept() for window in changed])
        if self._progress is not None:
            judgement.notices = self._progress.take()
        return judgement

    def _judge_readings(
        self, messages: Sequence[Inbound], judgement: Judgement, changed: list[Window]
    ) -> None:
        """Judge in a loop that takes readings of seawall/1 devices, nearly all there is, itself.

        The hot loop of the platform: names are local, and the next reading of a
        device's current boot costs no call of ours but the parser's.
        """
        lane_of, keep = self._lanes.get, judgement.batch.readings.append
        compare, make = hmac.compare_digest, tuple.__new__
        largest, progress, number = self._max_payload_bytes, self._progress, self._judged
        for message in messages:
            identity, topic, payload, _, received_ms, _, _, _ = message
            lane = lane_of(topic)
            if (
                lane is None
                or (identity != lane.device_id and identity is not None)
                or not MIN_WIRE_BYTES <= len(payload) <= largest
                or payload[0] != _OPEN_BRACE
            ):
                self._judge_other(message, judgement, changed)
                continue
            body = payload[_BEFORE_SIG] + b"}"
            inner = lane.inner()
            inner.update(body)
            outer = lane.outer()
            outer.update(inner.digest())
            if not compare(b',"sig":"%b"}' % outer.hexdigest().encode(), payload[_SIG]):
                self._judge_other(message, judgement, changed)
                continue
            boot = -1
            if body.count(b":") == lane.colons:
                try:
                    read = lane.decode(body)
                    boot, seq, ts_ms = read.boot, read.seq, read.ts
                except MISFITS:
                    pass  # not the shape that it looked like
            if boot < 0:
                try:
                    boot, seq, ts_ms = lane.read(body)
                except ProtocolError as error:
                    refusal = _refusal(message, Reason.MALFORMED, error.message)
                    judgement.batch.refusals.append(refusal)
                    continue
            if ts_ms is None:
                ts_ms = received_ms
            window = lane.history.current
            if window.boot != boot or window.top + 1 != seq or ts_ms > received_ms + MAX_AHEAD_MS:
                reading = Reading(lane.device_id, ts_ms, boot, seq, received_ms, body)
                self._admit(reading, message, judgement, changed)
                continue
            window.top = seq
            if window.seen != MASK:
                window.seen = (window.seen << 1 | 1) & MASK
            if window.changed_in != number:
                window.changed_in = number
                changed.append(window)
            keep(make(Reading, (lane.device_id, ts_ms, boot, seq, received_ms, body)))
            if progress is not None:
                progress.settled(lane.device_id, boot, seq)

    def _admit(
        self,
        reading: Reading,
        message: Inbound,
        judgement: Judgement,
        changed: list[Window],
    ) -> None:
        """Take a reading whose signature and form are right, if it is new."""
        device_id, boot, seq = reading.device_id, reading.boot, reading.seq
        if self._progress is not None:
            # Refused or seen before: either way it will never be stored otherwise than it is.
            self._progress.settled(device_id, boot, seq)
        if reading.ts_ms > message.received_ms + MAX_AHEAD_MS:
            ahead_h = (reading.ts_ms - message.received_ms) // 3_600_000
            detail = f'"ts" is {ahead_h} hours ahead of the server\'s clock, more than 24'
            judgement.batch.refusals.append(_refusal(message, Reason.MALFORMED, detail))
            return
        history = self._history(device_id)
        window = history.admit(boot, seq)
        if window is not None:
            judgement.batch.readings.append(reading)
            if history.newest() != (boot, seq):
                judgement.late.append(reading)
            if window.changed_in != self._judged:
                window.changed_in = self._judged
                changed.append(window)
        elif message.may_be_resend or message.retained:
            judgement.duplicates += 1
        else:
            detail = f"boot {boot}, seq {seq} came before, or is older than what is remembered"
            judgement.batch.refusals.append(_refusal(message, Reason.REPLAY, detail))

    # -- everything that is not a well-signed reading of a seawall/1 device

    def _judge_other(self, message: Inbound, judgement: Judgement, changed: list[Window]) -> None:
        try:
            place, known = self._route(message)
            if place is None:
                return
            if place.channel is Channel.STATUS:
                self._take_status(message, place.device_id, judgement)
                return
            body = self._open(message, place, known)
            if place.channel is not Channel.READINGS:
                event, answers, reports = note_of(place, body, message.received_ms)
                judgement.events.append(event)
                judgement.answers += answers
                judgement.reports += reports
            else:
                read = plain_counters if known.profile is Profile.PLAIN else reading_counters
                boot, seq, ts_ms = read(body)
                received_ms = message.received_ms
                when_ms = received_ms if ts_ms is None else ts_ms
                reading = Reading(place.device_id, when_ms, boot, seq, received_ms, body)
                self._admit(reading, message, judgement, changed)
        except _Refused as refused:
            judgement.batch.refusals.append(_refusal(message, refused.reason, refused.detail))
        except ProtocolError as error:
            judgement.batch.refusals.append(_refusal(message, Reason.MALFORMED, error.message))

    def _route(self, message: Inbound) -> tuple[DeviceTopic | None, DeviceKey]:
        """Return the topic taken apart and its device; None for what is silently passed over."""
        place = parse_topic(message.topic)
        if place is None or place.channel not in UPWARD:
            raise _Refused(Reason.WRONG_TOPIC, "this is no topic that a device publishes on")
        if message.identity is not None and message.identity != place.device_id:
            detail = f"the topic belongs to {place.device_id}, the certificate to another device"
            raise _Refused(Reason.WRONG_TOPIC, detail)
        known = self._keys.get(place.device_id)
        if known is None:
            if message.retained:  # the broker remembers a device that is gone
                return None, _NOBODY
            raise _Refused(Reason.UNKNOWN_DEVICE, "there is no device of this name")
        if known.status is not DeviceStatus.ACTIVE and place.channel is not Channel.STATUS:
            raise _Refused(*_BY_STATUS[known.status])
        if len(message.payload) > self._max_payload_bytes:
            detail = f"{len(message.payload)} bytes, more than {self._max_payload_bytes}"
            raise _Refused(Reason.TOO_LARGE, detail)
        return place, known

    def _open(self, message: Inbound, place: DeviceTopic, known: DeviceKey) -> bytes:
        """Return the body if it is signed by this device, and remember the way for the next."""
        payload = message.payload
        if known.profile is Profile.PLAIN:
            try:
                opened = open_plain(payload.decode(), known.key)
            except UnicodeDecodeError:
                opened = None
            if opened is None:
                raise _Refused(Reason.BAD_SIGNATURE, "the signature does not match (plain profile)")
            return opened.signed
        if place.channel is Channel.READINGS and message.topic not in self._lanes:
            self._lanes[message.topic] = _Lane(
                place.device_id,
                Verifier(known.key, topic_of(place.device_id, Channel.READINGS)),
                self._history(place.device_id),
            )
        body = open_sealed(payload, message.topic, known.key)
        if body is None:
            signed = payload[-SUFFIX_BYTES : -SUFFIX_BYTES + len(SIG_MARK)] == SIG_MARK
            detail = (
                "the signature does not match" if signed else "there is no signature at the end"
            )
            raise _Refused(Reason.BAD_SIGNATURE, detail)
        return body

    def _take_status(self, message: Inbound, device_id: str, judgement: Judgement) -> None:
        online = parse_status(message.payload)
        if online is None:
            return
        status = self._keys[device_id].status
        if online and status is not DeviceStatus.ACTIVE:
            if message.retained:
                return
            raise _Refused(*_BY_STATUS[status])
        if self._progress is not None and online:
            if message.retained:
                self._progress.was_connected(device_id)
            else:
                self._progress.connected(device_id)
        judgement.statuses.append(
            StatusChange(device_id, online, message.received_ms, message.retained)
        )

    def _history(self, device_id: str) -> History:
        history = self._histories.get(device_id)
        if history is None:
            history = self._histories[device_id] = History(device_id)
        return history


_NOBODY: Final = DeviceKey(b"", Profile.SEAWALL_1, DeviceStatus.DISABLED)


def _refusal(message: Inbound, reason: Reason, detail: str) -> Refusal:
    device_id = message.identity
    if device_id is None:
        place = parse_topic(message.topic)
        device_id = None if place is None else place.device_id
    return Refusal(
        at_ms=message.received_ms,
        reason=reason,
        device_id=device_id,
        topic=message.topic[:MAX_KEPT_TOPIC_CHARS],
        detail=detail,
        payload=message.payload[:MAX_KEPT_PAYLOAD_BYTES],
        payload_bytes=len(message.payload),
        peer=message.peer,
    )
