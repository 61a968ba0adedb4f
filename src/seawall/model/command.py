"""Commands to devices as the store queues them: from the order to the answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

COMMAND_LIFETIME_MS: Final = 24 * 3_600_000
"""So long a command waits for its answer; then it is given up, and never sent again."""
MAX_OPEN_COMMANDS: Final = 50
"""So many may wait for one device."""
KEPT_COMMANDS: Final = 100
"""So many are kept of each device, the newest, to look back at."""
MAX_ANSWER_CHARS: Final = 1000


class CommandState(StrEnum):
    """How far a command has come. The values are stable and documented."""

    QUEUED = "queued"
    """It waits for the device to connect."""
    SENT = "sent"
    """The broker has it for the device; nothing says yet that the device does."""
    ANSWERED = "answered"
    EXPIRED = "expired"
    """No answer came within `COMMAND_LIFETIME_MS`."""
    SUPERSEDED = "superseded"
    """The device answered a later one, so it will never accept this one."""

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return self in (CommandState.QUEUED, CommandState.SENT)


@dataclass(frozen=True, slots=True)
class QueuedCommand:
    """One command to one device.

    Attributes:
        device_id: Whose.
        n: Its number; grows with each command of this device.
        name: ``identify``, ``restart``, ``interval``, ``update`` or ``update-abort``.
        payload: As it goes over the wire, sealed. Empty once the command is closed:
            what a device might still obey is not kept for nothing.
        at_ms: When it was ordered, UTC milliseconds.
        actor: Who ordered it: ``cli:NAME``, ``web:NAME``.
        interval_ms: For ``interval``: what was ordered, milliseconds.
        state: How far it has come.
        answered_ms: When the answer came, UTC milliseconds.
        answer: The body of the reply, JSON (`MAX_ANSWER_CHARS` at most).
    """

    device_id: str
    n: int
    name: str
    payload: bytes
    at_ms: int
    actor: str = ""
    interval_ms: int | None = None
    state: CommandState = CommandState.QUEUED
    answered_ms: int | None = None
    answer: str | None = None


class CommandAnswer(NamedTuple):
    """A reply that came, verified: ``text`` is its body, ``n`` the command that it answers."""

    device_id: str
    n: int
    at_ms: int
    text: str
