"""A wrapper that holds a store, and its callers, to the contract.

On in tests and debug runs: it costs more than the store itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from seawall.model.command import CommandAnswer, CommandState, QueuedCommand
from seawall.model.device import Device
from seawall.model.event import Event
from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.ids import is_device_id
from seawall.model.reading import (
    MAX_KEPT_PAYLOAD_BYTES,
    MAX_TS_MS,
    MIN_TS_MS,
    RESERVED_MEMBERS,
    Batch,
    Reading,
    Reason,
    Refusal,
    ReplayWindow,
)
from seawall.model.user import Session, User
from seawall.store.checking_rollouts import CheckingRollouts
from seawall.store.contract import Store
from seawall.store.series import KEPT_BOOTS, bucket_width

_MAX_COUNTER = 2**53 - 1


class ContractBrokenError(AssertionError):
    """A driver or its caller did what the contract forbids. A defect, never a condition."""


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise ContractBrokenError(words)


class CheckingStore(CheckingRollouts):
    """A `Store` that checks what goes into another one, and what comes out.

    Args:
        store: The one that does the work.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store, _require)
        self._revision = -1
        self._command_numbers: dict[str, int] = {}
        self._command_revision = -1

    # -- readings

    def append(self, batch: Batch) -> int:
        """Check the batch, and that no more is new than was given."""
        for reading in batch.readings:
            _check_reading(reading)
        for window in batch.windows:
            _check_window(window)
        for refusal in batch.refusals:
            _check_refusal(refusal)
        new = self._store.append(batch)
        _require(0 <= new <= len(batch.readings), f"{new} of {len(batch.readings)} are new")
        return new

    def windows(self) -> list[ReplayWindow]:
        """Check that there is one window a boot, and few boots a device."""
        found = self._store.windows()
        boots: dict[str, set[int]] = {}
        for window in found:
            _check_window(window)
            of_device = boots.setdefault(window.device_id, set())
            _require(window.boot not in of_device, f"two windows of a boot: {window}")
            of_device.add(window.boot)
        _require(all(len(kept) <= KEPT_BOOTS for kept in boots.values()), "too many boots kept")
        return found

    def readings(self, query: ReadingQuery) -> Iterator[Reading]:
        """Check that readings fit the query, are in order, and none comes twice."""
        _require(query.last is None or query.last >= 0, f"{query.last} readings are asked for")
        return self._checked_readings(query, self._store.readings(query))

    def _checked_readings(self, query: ReadingQuery, found: Iterator[Reading]) -> Iterator[Reading]:
        before: tuple[int, int, int, str] | None = None
        for number, reading in enumerate(found, start=1):
            _check_reading(reading)
            _require(_fits(reading, query), f"{reading} does not fit {query}")
            _require(query.last is None or number <= query.last, f"more than {query.last}")
            place = (reading.ts_ms, reading.boot, reading.seq, reading.device_id)
            _require(before is None or before < place, f"{reading} comes after {before}")
            before = place
            yield reading

    def buckets(
        self, device_id: str, metric: str, since_ms: int, until_ms: int, count: int
    ) -> list[Bucket]:
        """Check that spans are few, aligned, in order, and their figures possible."""
        _require(count >= 1, "count is below 1")
        found = self._store.buckets(device_id, metric, since_ms, until_ms, count)
        _require(len(found) <= count, f"{len(found)} spans, {count} asked for")
        width = bucket_width(since_ms, until_ms, count)
        starts = [bucket.start_ms for bucket in found]
        _require(starts == sorted(set(starts)), "spans are out of order")
        for bucket in found:
            _require(since_ms <= bucket.start_ms < until_ms, f"{bucket} is out of range")
            _require((bucket.start_ms - since_ms) % width == 0, f"{bucket} is not aligned")
            _require(bucket.count >= 1, f"{bucket} is empty")
            _require(bucket.minimum <= bucket.mean <= bucket.maximum, f"{bucket} cannot be")
        return found

    def metrics(self, device_id: str) -> list[str]:
        """Check that names are sorted and none is reserved."""
        found = self._store.metrics(device_id)
        _require(found == sorted(set(found)), f"not sorted: {found}")
        _require(not RESERVED_MEMBERS.intersection(found), f"a reserved name: {found}")
        return found

    def activity(self, device_ids: Sequence[str] | None = None) -> list[DeviceActivity]:
        """Check that there is one entry for each device asked for, sorted."""
        found = self._store.activity(device_ids)
        names = [entry.device_id for entry in found]
        _require(names == sorted(set(names)), f"not sorted: {names}")
        if device_ids is not None:
            _require(names == sorted(set(device_ids)), f"{names}, not {device_ids}")
        for entry in found:
            last = (entry.last_ts_ms, entry.last_received_ms, entry.last_body)
            _require(entry.readings >= 0 and entry.refusals >= 0, f"below nothing: {entry}")
            absent = last.count(None)
            _require(absent == (0 if entry.readings else 3), f"half a reading: {entry}")
        return found

    def refusals(
        self,
        *,
        device_id: str | None = None,
        reason: Reason | None = None,
        last: int | None = None,
        after: int = 0,
    ) -> list[tuple[int, Refusal]]:
        """Check that refusals fit, and their numbers grow."""
        _require(last is None or last >= 0, f"{last} refusals are asked for")
        found = self._store.refusals(device_id=device_id, reason=reason, last=last, after=after)
        _require(last is None or len(found) <= last, f"{len(found)} refusals, not {last}")
        numbers = [number for number, _ in found]
        _require(numbers == sorted(set(numbers)), f"numbers out of order: {numbers}")
        _require(all(number > after for number in numbers), f"a number up to {after}: {numbers}")
        for _, refusal in found:
            _require(device_id in (None, refusal.device_id), f"not of {device_id}: {refusal}")
            _require(reason in (None, refusal.reason), f"not {reason}: {refusal}")
        return found

    def refusal_counts(self) -> dict[Reason, int]:
        """Check that counts are above nothing."""
        found = self._store.refusal_counts()
        _require(all(count > 0 for count in found.values()), f"an empty count: {found}")
        return found

    # -- registry

    def put_device(self, device: Device, event: Event) -> None:
        """Check that the device is there afterwards, and the revision has grown."""
        _require(is_device_id(device.device_id), f"no device id: {device.device_id!r}")
        before = self._store.registry_revision()
        self._store.put_device(device, event)
        _require(self.registry_revision() > before, "the revision did not grow")

    def add_device(self, device: Device, event: Event) -> None:
        """Check that the revision has grown."""
        _require(is_device_id(device.device_id), f"no device id: {device.device_id!r}")
        before = self._store.registry_revision()
        self._store.add_device(device, event)
        _require(self.registry_revision() > before, "the revision did not grow")

    def device(self, device_id: str) -> Device | None:
        """Check that it is the one asked for."""
        found = self._store.device(device_id)
        _require(found is None or found.device_id == device_id, f"{found}, not {device_id}")
        return found

    def devices(self) -> list[Device]:
        """Check that devices are sorted."""
        found = self._store.devices()
        names = [device.device_id for device in found]
        _require(names == sorted(set(names)), f"not sorted: {names}")
        return found

    def registry_revision(self) -> int:
        """Check that it never falls."""
        before = self._revision  # read first: another thread may be ahead of us when we return
        found = self._store.registry_revision()
        _require(found >= before, f"the revision fell from {before} to {found}")
        self._revision = max(self._revision, found)
        return found

    # -- events, users

    def log(self, events: Iterable[Event]) -> None:
        """Check that events have a kind."""
        checked = list(events)
        _require(all(event.kind for event in checked), "an event without a kind")
        self._store.log(checked)

    def events(self, *, subject: str | None = None, last: int = 100) -> list[Event]:
        """Check that events fit."""
        found = self._store.events(subject=subject, last=last)
        _require(len(found) <= last, f"{len(found)} events, not {last}")
        _require(all(subject in (None, event.subject) for event in found), "another's event")
        return found

    def put_user(self, user: User) -> None:
        """Pass on."""
        self._store.put_user(user)

    def user(self, name: str) -> User | None:
        """Check that it is the one asked for."""
        found = self._store.user(name)
        _require(found is None or found.name == name, f"{found}, not {name}")
        return found

    def users(self) -> list[User]:
        """Check that users are sorted."""
        found = self._store.users()
        names = [user.name for user in found]
        _require(names == sorted(set(names)), f"not sorted: {names}")
        return found

    def put_session(self, session: Session) -> None:
        """Check that the session is not over before it begins."""
        _require(session.expires_ms > session.created_ms, "the session is over before it begins")
        self._store.put_session(session)

    def session(self, token_sha256: str, now_ms: int) -> Session | None:
        """Check that it is the one asked for, and not over."""
        found = self._store.session(token_sha256, now_ms)
        _require(found is None or found.token_sha256 == token_sha256, "another's session")
        _require(found is None or found.expires_ms > now_ms, "a session that is over")
        return found

    def end_session(self, token_sha256: str) -> None:
        """Pass on."""
        self._store.end_session(token_sha256)

    # -- commands

    def last_command_number(self, device_id: str) -> int:
        """Check that it never falls."""
        before = self._command_numbers.get(device_id, 0)
        found = self._store.last_command_number(device_id)
        _require(found >= before, f"the number fell from {before} to {found}")
        self._command_numbers[device_id] = max(self._command_numbers.get(device_id, 0), found)
        return found

    def add_command(self, command: QueuedCommand, event: Event) -> None:
        """Check that a new command goes in, and that its number counts from then on."""
        _require(is_device_id(command.device_id), f"no device id: {command.device_id!r}")
        _require(0 < command.n <= _MAX_COUNTER, f"number out of range: {command}")
        _require(command.state is CommandState.QUEUED, f"not as a new one: {command}")
        _check_command(command)
        before = self._store.command_revision()
        self._store.add_command(command, event)
        _require(self.last_command_number(command.device_id) >= command.n, "it does not count")
        _require(self.command_revision() > before, "the revision did not grow")

    def commands(
        self, *, device_id: str | None = None, only_open: bool = False, last: int | None = None
    ) -> list[QueuedCommand]:
        """Check that commands fit, are in order and can be."""
        _require(last is None or last >= 0, f"{last} commands are asked for")
        found = self._store.commands(device_id=device_id, only_open=only_open, last=last)
        _require(last is None or len(found) <= last, f"{len(found)} commands, not {last}")
        places = [(command.device_id, command.n) for command in found]
        _require(places == sorted(set(places)), f"not sorted: {places}")
        for command in found:
            _require(device_id in (None, command.device_id), f"not of {device_id}: {command}")
            _require(command.state.is_open or not only_open, f"not open: {command}")
            _check_command(command)
        return found

    def note_commands_sent(self, commands: Sequence[tuple[str, int]]) -> None:
        """Pass on."""
        self._store.note_commands_sent(commands)

    def answer_commands(self, answers: Sequence[CommandAnswer]) -> int:
        """Check that no more became answered than there are answers."""
        found = self._store.answer_commands(answers)
        _require(0 <= found <= len(answers), f"{found} of {len(answers)} became answered")
        return found

    def expire_commands(self, before_ms: int) -> int:
        """Check that what is open afterwards is younger."""
        found = self._store.expire_commands(before_ms)
        left = self._store.commands(only_open=True)
        _require(all(command.at_ms >= before_ms for command in left), "one did not expire")
        return found

    def command_revision(self) -> int:
        """Check that it never falls."""
        before = self._command_revision
        found = self._store.command_revision()
        _require(found >= before, f"it fell from {before}: {found}")
        self._command_revision = max(self._command_revision, found)
        return found

    # -- life

    def check(self) -> None:
        """Pass on."""
        self._store.check()

    def close(self) -> None:
        """Pass on."""
        self._store.close()


def _check_reading(reading: Reading) -> None:
    _require(is_device_id(reading.device_id), f"no device id: {reading.device_id!r}")
    _require(MIN_TS_MS <= reading.ts_ms < MAX_TS_MS, f"time out of range: {reading}")
    _require(0 <= reading.boot <= _MAX_COUNTER, f"boot out of range: {reading}")
    _require(0 <= reading.seq <= _MAX_COUNTER, f"seq out of range: {reading}")
    _require(type(reading.body) is bytes, f"the body is no bytes: {reading}")
    try:
        body = json.loads(reading.body)
    except ValueError as error:
        raise ContractBrokenError(f"the body is no JSON: {reading}") from error
    _require(isinstance(body, dict) and "sig" not in body, f"no bare JSON object: {reading}")


def _check_window(window: ReplayWindow) -> None:
    _require(is_device_id(window.device_id), f"no device id: {window.device_id!r}")
    _require(0 <= window.boot <= _MAX_COUNTER, f"boot out of range: {window}")
    _require(0 <= window.top <= _MAX_COUNTER, f"top out of range: {window}")
    _require(window.seen > 0 and window.seen & 1 == 1, f"bit 0 is not set: {window}")


def _check_refusal(refusal: Refusal) -> None:
    _require(len(refusal.payload) <= MAX_KEPT_PAYLOAD_BYTES, "too much of a payload is kept")
    _require(refusal.payload_bytes >= len(refusal.payload), f"shorter than itself: {refusal}")


def _check_command(command: QueuedCommand) -> None:
    _require(bool(command.payload) == command.state.is_open, f"payload and state: {command}")
    is_answered = command.state is CommandState.ANSWERED
    facts = (command.answered_ms, command.answer)
    _require(facts.count(None) == (0 if is_answered else 2), f"half an answer: {command}")


def _fits(reading: Reading, query: ReadingQuery) -> bool:
    return (
        query.device_id in (None, reading.device_id)
        and (query.metric is None or query.metric in reading.metrics)
        and (query.since_ms is None or reading.ts_ms >= query.since_ms)
        and (query.until_ms is None or reading.ts_ms < query.until_ms)
    )
