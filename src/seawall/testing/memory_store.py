"""A store in memory: the fake that implements the port, for tests of everything above.

It passes the contract suite of every driver and forgets all when it is closed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from seawall.errors import ConflictError, NotFoundError
from seawall.model.command import (
    KEPT_COMMANDS,
    CommandAnswer,
    CommandState,
    QueuedCommand,
)
from seawall.model.device import Device
from seawall.model.event import Event
from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.reading import (
    RESERVED_MEMBERS,
    Batch,
    Reading,
    Reason,
    Refusal,
    ReplayWindow,
)
from seawall.model.user import Session, User
from seawall.store.fair_share import largest_share
from seawall.store.series import KEPT_BOOTS, LATELY_READINGS, fold_buckets
from seawall.testing.memory_lock import locked
from seawall.testing.memory_rollouts import MemoryRollouts


def _place(reading: Reading) -> tuple[int, int, int, str]:
    """Return what readings are ordered by."""
    return (reading.ts_ms, reading.boot, reading.seq, reading.device_id)


class MemoryStore(MemoryRollouts):
    """A `Store` without a disk; see `MemoryRollouts` and `Lockable` for the rest of it.

    Args:
        max_refusals: So many refusals are kept; the oldest of whoever has most go first.
    """

    def __init__(self, max_refusals: int = 10_000) -> None:
        super().__init__()
        self._max_refusals = max_refusals
        self._readings: dict[tuple[str, int, int], Reading] = {}
        self._windows: dict[str, dict[int, ReplayWindow]] = {}
        self._senders: set[str] = set()
        self._refusals: list[tuple[int, Refusal]] = []
        self._refusal_number = 0
        self._refusal_counts: Counter[Reason] = Counter()
        self._refused_devices: Counter[str] = Counter()
        self._devices: dict[str, Device] = {}
        self._revision = 0
        self._events: list[Event] = []
        self._users: dict[str, User] = {}
        self._sessions: dict[str, Session] = {}
        self._command_numbers: dict[str, int] = {}
        self._commands: dict[tuple[str, int], QueuedCommand] = {}
        self._command_revision = 0

    # -- readings

    @locked
    def append(self, batch: Batch) -> int:
        """Keep a batch (see `ReadingStore.append`)."""
        before = len(self._readings)
        for reading in batch.readings:
            self._readings.setdefault((reading.device_id, reading.boot, reading.seq), reading)
            self._senders.add(reading.device_id)
        for window in batch.windows:
            boots = self._windows.setdefault(window.device_id, {})
            boots[window.boot] = window
            if len(boots) > KEPT_BOOTS:
                del boots[min(boots)]
        for refusal in batch.refusals:
            self._refusal_number += 1
            self._refusals.append((self._refusal_number, refusal))
            self._refusal_counts[refusal.reason] += 1
            name = refusal.device_id
            if name is not None and (name in self._devices or name in self._senders):
                self._refused_devices[name] += 1
        self._trim_refusals()
        return len(self._readings) - before

    def _trim_refusals(self) -> None:
        over = Counter(refusal.device_id for _, refusal in self._refusals)
        if over.total() <= self._max_refusals:
            return
        share = largest_share(over, self._max_refusals)
        if not share:  # more devices than room
            del self._refusals[: -self._max_refusals]
            return
        kept = []
        for number, refusal in self._refusals:
            if over[refusal.device_id] > share:
                over[refusal.device_id] -= 1
            else:
                kept.append((number, refusal))
        self._refusals = kept

    @locked
    def windows(self) -> list[ReplayWindow]:
        """Return every replay window."""
        return [window for boots in self._windows.values() for window in boots.values()]

    @locked
    def readings(self, query: ReadingQuery) -> Iterator[Reading]:
        """Return readings in order (see `ReadingStore.readings`)."""
        found = sorted(
            (
                reading
                for reading in self._readings.values()
                if query.device_id in (None, reading.device_id)
                and (query.since_ms is None or reading.ts_ms >= query.since_ms)
                and (query.until_ms is None or reading.ts_ms < query.until_ms)
                and (query.metric is None or query.metric in reading.metrics)
            ),
            key=_place,
        )
        if query.last is not None:
            found = found[max(0, len(found) - query.last) :]
        return iter(found)

    @locked
    def buckets(
        self, device_id: str, metric: str, since_ms: int, until_ms: int, count: int
    ) -> list[Bucket]:
        """Return one metric's history in equal spans."""
        query = ReadingQuery(device_id, since_ms=since_ms, until_ms=until_ms)
        points = ((reading.ts_ms, reading.body) for reading in self.readings(query))
        return fold_buckets(points, metric, since_ms, until_ms, count)

    @locked
    def metrics(self, device_id: str) -> list[str]:
        """Return the names of the metrics that a device has sent lately, sorted."""
        newest = self.readings(ReadingQuery(device_id, last=LATELY_READINGS))
        return sorted({name for reading in newest for name in reading.metrics} - RESERVED_MEMBERS)

    @locked
    def activity(self, device_ids: Sequence[str] | None = None) -> list[DeviceActivity]:
        """Return counts and the newest reading of the devices, sorted by id."""
        of_device: dict[str, list[Reading]] = {}
        for reading in self._readings.values():
            of_device.setdefault(reading.device_id, []).append(reading)
        names = {*of_device, *self._devices} if device_ids is None else set(device_ids)
        answer = []
        for name in sorted(names):
            kept = of_device.get(name, [])
            last = max(kept, key=_place, default=None)
            answer.append(
                DeviceActivity(
                    name,
                    len(kept),
                    last and last.ts_ms,
                    last and last.received_ms,
                    last and last.body,
                    self._refused_devices[name],
                )
            )
        return answer

    @locked
    def refusals(
        self,
        *,
        device_id: str | None = None,
        reason: Reason | None = None,
        last: int | None = None,
        after: int = 0,
    ) -> list[tuple[int, Refusal]]:
        """Return refusals, oldest first, each with its number."""
        found = [
            (number, refusal)
            for number, refusal in self._refusals
            if number > after
            and device_id in (None, refusal.device_id)
            and reason in (None, refusal.reason)
        ]
        return found if last is None else found[max(0, len(found) - last) :]

    @locked
    def refusal_counts(self) -> dict[Reason, int]:
        """Return how many were refused, by reason; reasons without any are left out."""
        return dict(self._refusal_counts)

    # -- registry

    @locked
    def put_device(self, device: Device, event: Event) -> None:
        """Add or replace a device, and log the event."""
        self._devices[device.device_id] = device
        self._revision += 1
        self._events.append(event)

    @locked
    def add_device(self, device: Device, event: Event) -> None:
        """Add a device; ConflictError if the id is taken."""
        if device.device_id in self._devices:
            raise ConflictError(
                f"device {device.device_id} exists already", reference="device-exists"
            )
        self.put_device(device, event)

    @locked
    def device(self, device_id: str) -> Device | None:
        """Return one device."""
        return self._devices.get(device_id)

    @locked
    def devices(self) -> list[Device]:
        """Return all devices, sorted by id."""
        return [self._devices[name] for name in sorted(self._devices)]

    @locked
    def registry_revision(self) -> int:
        """Return a number that grows with every change of the registry."""
        return self._revision

    # -- events, users

    @locked
    def log(self, events: Iterable[Event]) -> None:
        """Append events."""
        self._events.extend(events)

    @locked
    def events(self, *, subject: str | None = None, last: int = 100) -> list[Event]:
        """Return the newest events, oldest first."""
        found = [event for event in self._events if subject in (None, event.subject)]
        return found[max(0, len(found) - last) :]

    @locked
    def put_user(self, user: User) -> None:
        """Add or replace a user; replacing ends the sessions."""
        self._users[user.name] = user
        for token, session in list(self._sessions.items()):
            if session.user_name == user.name:
                del self._sessions[token]

    @locked
    def user(self, name: str) -> User | None:
        """Return one user."""
        return self._users.get(name)

    @locked
    def users(self) -> list[User]:
        """Return all users, sorted by name."""
        return [self._users[name] for name in sorted(self._users)]

    @locked
    def put_session(self, session: Session) -> None:
        """Add a session, and forget those that have expired by then."""
        if session.user_name not in self._users:
            raise NotFoundError(f"there is no user {session.user_name}")
        if session.token_sha256 in self._sessions:
            raise ConflictError("a session with this token exists already")
        for token, old in list(self._sessions.items()):
            if old.expires_ms <= session.created_ms:
                del self._sessions[token]
        self._sessions[session.token_sha256] = session

    @locked
    def session(self, token_sha256: str, now_ms: int) -> Session | None:
        """Return a session that has not expired."""
        session = self._sessions.get(token_sha256)
        return session if session is not None and session.expires_ms > now_ms else None

    @locked
    def end_session(self, token_sha256: str) -> None:
        """Forget a session."""
        self._sessions.pop(token_sha256, None)

    # -- commands

    @locked
    def last_command_number(self, device_id: str) -> int:
        """Return the greatest number of a command that this device was ever given; 0 for none."""
        return self._command_numbers.get(device_id, 0)

    @locked
    def add_command(self, command: QueuedCommand, event: Event) -> None:
        """Queue a command and log the event (see `CommandStore.add_command`)."""
        self._queue(command)
        self._events.append(event)

    def _queue(self, command: QueuedCommand) -> None:
        name = command.device_id
        if command.n <= self._command_numbers.get(name, 0):
            raise ConflictError(
                f"device {name} has a command of number {command.n} or later",
                reference="command-number-taken",
            )
        self._command_numbers[name] = command.n
        self._change(command)
        kept = [old for old in self._commands.values() if old.device_id == name]
        for old in kept[: max(0, len(kept) - KEPT_COMMANDS)]:
            if not old.state.is_open:
                del self._commands[name, old.n]

    @locked
    def commands(
        self, *, device_id: str | None = None, only_open: bool = False, last: int | None = None
    ) -> list[QueuedCommand]:
        """Return commands sorted by device and number; with ``last``, the newest by time."""
        found = sorted(
            (
                command
                for command in self._commands.values()
                if device_id in (None, command.device_id)
                and (command.state.is_open or not only_open)
            ),
            key=lambda command: (command.at_ms, command.n, command.device_id),
        )
        if last is not None:
            found = found[max(0, len(found) - last) :]
        return sorted(found, key=lambda command: (command.device_id, command.n))

    @locked
    def note_commands_sent(self, commands: Sequence[tuple[str, int]]) -> None:
        """Note that the broker has these; what is closed stays closed."""
        for place in commands:
            command = self._commands.get(place)
            if command is not None and command.state is CommandState.QUEUED:
                self._change(replace(command, state=CommandState.SENT))

    @locked
    def answer_commands(self, answers: Sequence[CommandAnswer]) -> int:
        """Note what devices answered (see `CommandStore.answer_commands`)."""
        answered = 0
        for device_id, n, at_ms, text in answers:
            command = self._commands.get((device_id, n))
            if command is None or command.state is CommandState.ANSWERED:
                continue
            state = CommandState.ANSWERED
            self._change(replace(command, payload=b"", state=state, answered_ms=at_ms, answer=text))
            for old in self.commands(device_id=device_id, only_open=True):
                if old.n < n:
                    self._change(replace(old, payload=b"", state=CommandState.SUPERSEDED))
            answered += 1
        return answered

    @locked
    def expire_commands(self, before_ms: int) -> int:
        """Give up open commands that were ordered before this time; return how many."""
        late = [old for old in self.commands(only_open=True) if old.at_ms < before_ms]
        for command in late:
            self._change(replace(command, payload=b"", state=CommandState.EXPIRED))
        return len(late)

    @locked
    def command_revision(self) -> int:
        """Return a number that grows with every change of the queue."""
        return self._command_revision

    def _change(self, command: QueuedCommand) -> None:
        self._commands[command.device_id, command.n] = command
        self._command_revision += 1

    # -- life

    @locked
    def check(self) -> None:
        """Raise the failure that is set, if any."""

    def close(self) -> None:
        """End; further calls raise StoreError."""
        self._closed = True
