"""The edge of ingest: takes messages on the event loop, commits on one thread.

Verify, refuse replays, batch, commit, acknowledge: in this order. While the
store fails, the batch is kept and tried again, nothing is acknowledged, and
`Ingest.congested` soon tells the broker to stop reading.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from seawall.errors import StoreError
from seawall.ingest.counters import Counters
from seawall.ingest.feed import Feed
from seawall.ingest.notices import Notices, Publish
from seawall.ingest.pipeline import DeviceKey, Judgement, Pipeline
from seawall.ingest.presence import Connection, Presence, PresenceTable
from seawall.ingest.rate import NoteLimit
from seawall.model.device import Device, DeviceStatus
from seawall.model.event import Event
from seawall.model.installation import IngestSettings
from seawall.model.message import Inbound
from seawall.model.reading import Reading, Refusal
from seawall.pki.secrets import derive_device_key
from seawall.store.contract import Store

Settled = Callable[[Sequence[Any]], None]

CONGESTED_BATCHES: Final = 20
"""So many full batches may wait before drivers are asked to stop reading."""
MAX_BATCH_FACTOR: Final = 4
"""A backlog is committed in batches of up to so many times the usual size."""
MAX_WAITING_REFUSALS: Final = 2000
FIRST_RETRY_S: Final = 0.05
LAST_RETRY_S: Final = 5.0

_log = logging.getLogger("seawall.ingest")


class _Job(NamedTuple):
    """A judged batch on its way to the disk, and whom to tell."""

    judgement: Judgement
    groups: list[tuple[Sequence[Inbound], Settled]]


class Ingest:
    """Takes publications in; implements the broker's ``Sink``.

    All methods are called on the event loop's thread.

    Args:
        store: Where to.
        settings: Limits and the size of batches.
        feed: Whom to tell what happens.
        publish: Given if devices are to be told ``stored`` (behind a broker whose
            PUBACK promises nothing); hands a message to that broker.
        accepted: Told of the readings that were judged new and are the newest of their
            device, before they are stored.
    """

    def __init__(
        self,
        store: Store,
        settings: IngestSettings,
        feed: Feed | None = None,
        publish: Publish | None = None,
        accepted: Callable[[Sequence[Reading]], None] | None = None,
    ) -> None:
        self.counters = Counters()
        self.feed = feed or Feed()
        self._store = store
        self._settings = settings
        self._accepted = accepted
        self._pipeline = Pipeline(
            max_payload_bytes=settings.max_payload_bytes,
            windows=store.windows(),
            track_progress=publish is not None,
        )
        self._keys: dict[str, DeviceKey] = {}
        self._derived: dict[tuple[str, int], bytes] = {}
        self._presence = PresenceTable()
        self._limit = NoteLimit()
        self._notices = Notices(publish, self._key_of) if publish else None
        self._telling: asyncio.Task[None] | None = None
        self._waiting: list[tuple[Sequence[Inbound], Settled]] = []
        self._waiting_count = 0
        self._refusals: list[Refusal] = []
        self._job: _Job | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry_s = FIRST_RETRY_S
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="seawall-store")
        self._idle: asyncio.Future[None] | None = None
        self._stopped = False

    # -- life

    async def start(self) -> None:
        """Begin to take messages."""
        self._loop = asyncio.get_running_loop()
        if self._notices is not None:
            self._telling = asyncio.create_task(self._notices.run(), name="stored notices")

    async def stop(self, timeout_s: float = 10.0) -> None:
        """Take no more, commit what is here, and let go. Idempotent.

        Args:
            timeout_s: Give up on a store that fails for so long; what it did not
                take was never acknowledged, so its senders still have it.
        """
        self._stopped = True
        if self._has_work() and self._loop is not None:
            self._idle = self._loop.create_future()
            self._dispatch()
            try:
                await asyncio.wait_for(self._idle, timeout_s)
            except TimeoutError:
                _log.error("stopped with %d messages that the store did not take", self.waiting)
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            self._telling.cancel()
        self.feed.close()
        self._writer.shutdown(wait=True)

    def update_devices(self, devices: Iterable[Device], master: bytes) -> None:
        """Take the registry as it is now; keys that were derived before are not derived again.

        Args:
            devices: All of them.
            master: The installation's master secret.
        """
        derived: dict[tuple[str, int], bytes] = {}
        keys: dict[str, DeviceKey] = {}
        for device in devices:
            which = (device.device_id, device.key_generation)
            key = self._derived.get(which) or derive_device_key(master, *which)
            derived[which] = key
            keys[device.device_id] = DeviceKey(key, device.profile, device.status)
        self._derived = derived
        self._keys = keys
        self._pipeline.set_keys(keys)
        self._presence.forget(set(keys))
        self._limit.forget(set(keys))

    # -- what brokers call

    def submit(self, messages: Sequence[Inbound], settled: Settled) -> None:
        """Take messages in order (see `broker.port.Sink.submit`)."""
        if self._stopped:
            return  # never acknowledged, so it is sent again to whoever listens next
        self._waiting.append((messages, settled))
        self._waiting_count += len(messages)
        self.counters.received += len(messages)
        self._schedule()

    def refuse(self, refusal: Refusal) -> None:
        """Record a refused connection or packet; in a flood, count it only."""
        if self._stopped or len(self._refusals) >= MAX_WAITING_REFUSALS:
            self.counters.refusals_dropped += 1
            return
        self._refusals.append(refusal)
        self._schedule()

    @property
    def congested(self) -> bool:
        """Whether drivers should stop reading until something is settled."""
        return self._waiting_count >= CONGESTED_BATCHES * self._settings.batch_readings

    @property
    def store_fails(self) -> bool:
        """Whether the last commit failed; it is tried again, and nothing is acknowledged."""
        return self._retry_s > FIRST_RETRY_S

    # -- what others ask

    @property
    def waiting(self) -> int:
        """How many messages are not durable yet."""
        judged = sum(len(messages) for messages, _ in self._job.groups) if self._job else 0
        return self._waiting_count + judged

    def presence(self) -> dict[str, Presence]:
        """Return which devices said that they are connected, or went."""
        return self._presence.snapshot()

    def connection(self, device_id: str) -> Connection:
        """Return what is known of one device's connection."""
        return self._presence.connection(device_id)

    # -- batches

    def _has_work(self) -> bool:
        return bool(self._waiting or self._refusals or self._job)

    def _schedule(self) -> None:
        """Commit at once if a batch is full, else soon, unless a commit is on its way."""
        if self._job is not None or self._loop is None:
            return
        if self._waiting_count >= self._settings.batch_readings:
            self._dispatch()
        elif self._timer is None:
            delay_s = self._settings.batch_delay_ms / 1000
            self._timer = self._loop.call_later(delay_s, self._dispatch)

    def _dispatch(self) -> None:
        """Judge what waits and hand it to the writer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._job is not None or not (self._waiting or self._refusals):
            return
        groups = self._take_groups()
        messages = (
            groups[0][0]
            if len(groups) == 1
            else [message for group, _ in groups for message in group]
        )
        judgement = self._pipeline.judge(messages)
        if self._accepted is not None and judgement.batch.readings:
            self._accepted(_newest(judgement))
        if self._refusals:
            judgement.batch.refusals.extend(self._refusals)
            self._refusals = []
        self._take_statuses(judgement)
        judgement.events = self._within_limit(judgement.events)
        self._job = _Job(judgement, groups)
        self._commit()

    def _take_groups(self) -> list[tuple[Sequence[Inbound], Settled]]:
        """Take groups off the queue, whole ones, up to the size of a large batch."""
        limit = MAX_BATCH_FACTOR * self._settings.batch_readings
        if self._waiting_count <= limit:
            groups, self._waiting = self._waiting, []
            self._waiting_count = 0
            return groups
        count = taken = 0
        for messages, _ in self._waiting:
            if taken and count + len(messages) > limit:
                break
            count += len(messages)
            taken += 1
        groups = self._waiting[:taken]
        del self._waiting[:taken]
        self._waiting_count -= count
        return groups

    def _commit(self) -> None:
        job = self._job
        assert job is not None  # noqa: S101  a commit has a job
        assert self._loop is not None  # noqa: S101  and a loop
        batch = job.judgement.batch
        is_empty = not (batch.readings or batch.windows or batch.refusals)
        judged = job.judgement
        if is_empty and not (judged.events or judged.answers or judged.reports):
            self._finish(0)
            return
        future = self._loop.run_in_executor(self._writer, _store, self._store, job.judgement)
        future.add_done_callback(self._committed)

    def _committed(self, future: asyncio.Future[int]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None and not future.cancelled():
            if self.store_fails:
                _log.warning("the store works again")
            self._retry_s = FIRST_RETRY_S
            self._finish(future.result())
            return
        self.counters.store_failures += 1
        if self._retry_s == FIRST_RETRY_S or not isinstance(error, StoreError):
            _log.error("the store failed, trying again, nothing is acknowledged: %s", error)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_later(self._retry_s, self._retry)
        self._retry_s = min(LAST_RETRY_S, self._retry_s * 2)

    def _retry(self) -> None:
        try:
            self._commit()
        except RuntimeError:  # the writer was shut down: stop() has given up
            _log.debug("no retry after the stop")

    def _finish(self, new: int) -> None:
        """Count, acknowledge and tell what is durable now; go on with what came meanwhile."""
        job, self._job = self._job, None
        assert job is not None  # noqa: S101  what was committed
        judgement = job.judgement
        batch, counters = judgement.batch, self.counters
        counters.batches += 1
        counters.verified += len(batch.readings)
        counters.stored += new
        counters.duplicates += judgement.duplicates
        for refusal in batch.refusals:
            counters.refused[refusal.reason] += 1
        _acknowledge(job.groups)
        if self._notices is not None:
            self._notices.add(judgement.notices)
        self.feed.tell_batch(batch.readings, batch.refusals)
        if self._stopped:
            self._dispatch()
        elif self._waiting or self._refusals:
            self._schedule()
        if self._idle is not None and not self._has_work() and not self._idle.done():
            self._idle.set_result(None)

    def _take_statuses(self, judgement: Judgement) -> None:
        for change in judgement.statuses:
            if change.online:
                self._presence.count_connection(change.device_id)
            if not self._presence.update(change):
                continue
            self.feed.tell_presence(change)
            if not change.retained:  # else it happened before we listened
                kind = "device-connected" if change.online else "device-disconnected"
                actor = f"device:{change.device_id}"
                judgement.events.append(Event(change.at_ms, kind, change.device_id, actor))

    def _within_limit(self, events: list[Event]) -> list[Event]:
        allowed = [event for event in events if self._limit.allows(event.subject, event.at_ms)]
        self.counters.notes_dropped += len(events) - len(allowed)
        return allowed

    def _key_of(self, device_id: str) -> bytes | None:
        known = self._keys.get(device_id)
        return known.key if known and known.status is DeviceStatus.ACTIVE else None


def _newest(judgement: Judgement) -> Sequence[Reading]:
    if not judgement.late:
        return judgement.batch.readings
    late = set(judgement.late)
    return [reading for reading in judgement.batch.readings if reading not in late]


def _store(store: Store, judgement: Judgement) -> int:
    """Commit a batch, then its notes; on the writer's thread."""
    batch = judgement.batch
    if judgement.answers:
        # First: said again they change nothing, so what fails here or later is tried whole.
        store.answer_commands(judgement.answers)
    if judgement.reports:
        store.note_reports(judgement.reports)
    new = store.append(batch) if batch.readings or batch.windows or batch.refusals else 0
    if judgement.events:
        try:
            store.log(judgement.events)
        except StoreError as error:
            # The batch is durable. To try all of it again for a note would double refusals.
            _log.warning("%d events of devices were not logged: %s", len(judgement.events), error)
    return new


def _acknowledge(groups: Sequence[tuple[Sequence[Inbound], Settled]]) -> None:
    for messages, settled in groups:
        tokens = [message[6] for message in messages if message[6] is not None]
        if tokens:
            try:
                settled(tokens)
            except Exception:
                # One driver's connection at fault must not stop what the others wait for.
                _log.exception("a driver failed to acknowledge")
