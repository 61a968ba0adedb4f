"""The contract that every store driver keeps, judged by one suite.

All calls are synchronous, blocking and safe to make from several threads;
edges that must not block put them on a thread. Every method raises
`StoreError` (or `StoreFullError`) when the engine fails, and has then changed
nothing. Times are UTC milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from seawall.model.command import CommandAnswer, QueuedCommand
from seawall.model.device import Device
from seawall.model.event import Event
from seawall.model.history import Bucket, DeviceActivity, ReadingQuery
from seawall.model.reading import Batch, Reading, Reason, Refusal, ReplayWindow
from seawall.model.rollout import (
    DeviceReport,
    DeviceSoftware,
    Rollout,
    RolloutChange,
    Way,
    WayState,
)
from seawall.model.user import Session, User


class ReadingStore(Protocol):
    """Readings, replay windows and refusals."""

    def append(self, batch: Batch) -> int:
        """Commit a batch durably: it survives a power cut once this returns.

        A reading whose (device, boot, seq) is there already is no error and no
        second row.

        Of refusals a bounded number is kept; when there are more, the oldest of
        whichever devices have the most go (`fair_share.largest_share`).

        Returns:
            How many readings were new.
        """

    def windows(self) -> list[ReplayWindow]:
        """Return every replay window that is kept, in no order."""

    def readings(self, query: ReadingQuery) -> Iterator[Reading]:
        """Yield readings by time of measurement, then boot and seq."""

    def buckets(
        self, device_id: str, metric: str, since_ms: int, until_ms: int, count: int
    ) -> list[Bucket]:
        """Return one metric in at most ``count`` equal spans of time; empty ones are left out."""

    def metrics(self, device_id: str) -> list[str]:
        """Return the names of the metrics that a device has sent lately, sorted."""

    def activity(self, device_ids: Sequence[str] | None = None) -> list[DeviceActivity]:
        """Return counts and the newest reading of the devices (all, by default), sorted by id."""

    def refusals(
        self,
        *,
        device_id: str | None = None,
        reason: Reason | None = None,
        last: int | None = None,
        after: int = 0,
    ) -> list[tuple[int, Refusal]]:
        """Return refusals, oldest first, each with its number; ``after`` leaves out up to a number.

        With ``last``, only that many, the newest.
        """

    def refusal_counts(self) -> dict[Reason, int]:
        """Return how many were refused since the store was made, by reason (never trimmed)."""


class DeviceStore(Protocol):
    """The registry."""

    def put_device(self, device: Device, event: Event) -> None:
        """Add or replace a device, and log the event, in one transaction."""

    def add_device(self, device: Device, event: Event) -> None:
        """Add a device; ConflictError if the id is taken, by a revoked one too."""

    def device(self, device_id: str) -> Device | None:
        """Return one device."""

    def devices(self) -> list[Device]:
        """Return all devices, sorted by id."""

    def registry_revision(self) -> int:
        """Return a number that grows with every change of the registry, by any process."""


class EventStore(Protocol):
    """The log of events."""

    def log(self, events: Iterable[Event]) -> None:
        """Append events."""

    def events(self, *, subject: str | None = None, last: int = 100) -> list[Event]:
        """Return the newest events, oldest first."""


class UserStore(Protocol):
    """Users and their sessions."""

    def put_user(self, user: User) -> None:
        """Add or replace a user; replacing ends all sessions of that user."""

    def user(self, name: str) -> User | None:
        """Return one user."""

    def users(self) -> list[User]:
        """Return all users, sorted by name."""

    def put_session(self, session: Session) -> None:
        """Add a session."""

    def session(self, token_sha256: str, now_ms: int) -> Session | None:
        """Return a session that has not expired."""

    def end_session(self, token_sha256: str) -> None:
        """Forget a session; no error if there is none."""


class CommandStore(Protocol):
    """The queue of signed commands: what was ordered, and what became of it."""

    def last_command_number(self, device_id: str) -> int:
        """Return the greatest number of a command that this device was ever given; 0 for none."""

    def add_command(self, command: QueuedCommand, event: Event) -> None:
        """Queue a command and log the event, in one transaction.

        Of the commands of this device that are closed, those beyond the newest
        `model.command.KEPT_COMMANDS` are forgotten; their numbers never are.

        Raises:
            ConflictError: its number is not greater than every one before
                (``command-number-taken``): another process was quicker.
        """

    def commands(
        self, *, device_id: str | None = None, only_open: bool = False, last: int | None = None
    ) -> list[QueuedCommand]:
        """Return commands sorted by device and number; with ``last``, the newest by time."""

    def note_commands_sent(self, commands: Sequence[tuple[str, int]]) -> None:
        """Note that the broker has these (device, number); what is closed stays closed."""

    def answer_commands(self, answers: Sequence[CommandAnswer]) -> int:
        """Note what devices answered, in one transaction; again, or to nothing, is no error.

        The command becomes answered, whatever it was, and those of its device with
        lower numbers that were still open become superseded.

        Returns:
            How many became answered.
        """

    def expire_commands(self, before_ms: int) -> int:
        """Give up open commands that were ordered before this time; return how many."""

    def command_revision(self) -> int:
        """Return a number that grows with every change of the queue, by any process."""


class RolloutStore(Protocol):
    """Roll-outs, the way of each device in them, and what devices run.

    Who changes something read it before: a roll-out and a way carry the revision
    that they were read with, and each change makes it one more. What somebody else
    has changed meanwhile is a conflict, and nothing of the change is kept.
    """

    def add_rollout(self, rollout: Rollout, ways: Sequence[Way], event: Event) -> None:
        """Keep a new roll-out and the way of each of its devices, and log the event.

        Of roll-outs that are over, those beyond the newest `model.rollout.KEPT_ROLLOUTS`
        are forgotten.

        Raises:
            ConflictError: the id is taken (``rollout-exists``), or a device is in another
                roll-out that is open (``rollout-overlaps``).
        """

    def rollout(self, rollout_id: str) -> Rollout | None:
        """Return one roll-out."""

    def rollouts(self) -> list[Rollout]:
        """Return all roll-outs that are kept, in the order in which they were started."""

    def ways(self, rollout_id: str) -> list[Way]:
        """Return the way of every device in a roll-out, sorted by device."""

    def way_counts(self) -> dict[str, dict[WayState, int]]:
        """Return how many devices have come how far, by roll-out; none stands at 0."""

    def change_rollout(self, change: RolloutChange) -> None:
        """Write a roll-out, ways of its devices, commands and events, in one transaction.

        Raises:
            ConflictError: the roll-out or a way was changed meanwhile, or is not there
                (``rollout-changed``); or a command's number is not greater than every one
                before (``command-number-taken``).
        """

    def note_reports(self, reports: Sequence[DeviceReport]) -> int:
        """Take what devices say of their software, in order, in one transaction.

        What is old, or belongs to no roll-out, changes nothing: see
        `model.rollout.software_after`, `way_after` and `way_after_running`. What it says
        of an order goes to that way whose newest order it is, or the next one after. What a
        device runs concerns its way in roll-outs that are open.

        Returns:
            How many were news.
        """

    def software(self) -> list[DeviceSoftware]:
        """Return what devices run, sorted by device; those that never said are left out."""

    def rollout_revision(self) -> int:
        """Return a number that grows with every change of these, by any process."""


class Store(ReadingStore, DeviceStore, EventStore, UserStore, CommandStore, RolloutStore, Protocol):
    """All of it, and its life."""

    def check(self) -> None:
        """Raise StoreError unless the store can be read and written now."""

    def close(self) -> None:
        """Release everything; further calls raise StoreError."""
