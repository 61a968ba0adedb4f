"""Delivers the commands that any process has queued, until their devices answer.

A command is handed to the broker once for each connection of its device, oldest
first: what a broker keeps for a device does not survive its own end, and a device
refuses a number that it has obeyed, so delivering twice does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from seawall.broker.port import Publisher
from seawall.errors import ServiceError
from seawall.ingest.presence import Connection
from seawall.model.command import COMMAND_LIFETIME_MS, QueuedCommand
from seawall.model.topics import Channel, topic_of
from seawall.operations.installation import Installation

_log = logging.getLogger("seawall.daemon")

POLL_INTERVAL_S: Final = 0.2
REPEAT_AFTER_S: Final = 1.0
"""A device that has connected gets so long to answer what the broker may have kept for it."""
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 30.0

_Place = tuple[str, int]


@dataclass(slots=True)
class _Wait:
    """Why nothing goes to a device now: the broker refused it."""

    until_s: float
    delay_s: float


class Deliveries:
    """What was handed over on which connection, and what is due. Pure.

    Args:
        connection_of: What is known of a device's connection.
    """

    def __init__(self, connection_of: Callable[[str], Connection]) -> None:
        self._connection_of = connection_of
        self._handed: dict[_Place, int] = {}
        self._begun: dict[str, tuple[int, float]] = {}
        self._waits: dict[str, _Wait] = {}

    def due(self, commands: Iterable[QueuedCommand], now_s: float) -> list[QueuedCommand]:
        """Return what is to be handed over now, in order.

        Nothing is due for a device that is known to be away. One that was never
        heard of may be a client that tells no status: it is tried once.

        Args:
            commands: All that are open, by device and number.
            now_s: Monotonic seconds.
        """
        found = []
        held: set[str] = set()
        for command in commands:
            name = command.device_id
            online, number = self._connection_of(name)
            if online is False or name in held:
                continue
            wait = self._waits.get(name)
            since_s = self._since(name, number, now_s)
            handed = self._handed.get((name, command.n))
            if handed == number:
                continue
            may_be_kept = handed is not None and now_s - since_s < REPEAT_AFTER_S
            if may_be_kept or (wait is not None and now_s < wait.until_s):
                held.add(name)  # what was ordered later must not come first
            else:
                found.append(command)
        return found

    def handed_over(self, command: QueuedCommand) -> bool:
        """Note that the broker took a command; tell whether its device is connected."""
        online, number = self._connection_of(command.device_id)
        self._handed[command.device_id, command.n] = number
        self._waits.pop(command.device_id, None)
        return online is True

    def failed(self, command: QueuedCommand, now_s: float) -> bool:
        """Note that the broker did not take a command; tell whether that is news."""
        before = self._waits.get(command.device_id)
        delay_s = FIRST_RETRY_S if before is None else min(2 * before.delay_s, LAST_RETRY_S)
        self._waits[command.device_id] = _Wait(now_s + delay_s, delay_s)
        return before is None

    def keep(self, commands: Iterable[QueuedCommand]) -> None:
        """Forget all but these."""
        places = {(command.device_id, command.n) for command in commands}
        names = {name for name, _ in places}
        for place in self._handed.keys() - places:
            del self._handed[place]
        for known in (self._begun, self._waits):
            for name in known.keys() - names:
                del known[name]

    def _since(self, device_id: str, number: int, now_s: float) -> float:
        begun = self._begun.get(device_id)
        if begun is None or begun[0] != number:
            begun = self._begun[device_id] = (number, now_s)
        return begun[1]


class CommandDispatch:
    """Keeps at the queue; see the module.

    Args:
        installation: Whose queue.
        publisher: Takes what is sent down.
        connection_of: What is known of a device's connection.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        installation: Installation,
        publisher: Publisher,
        connection_of: Callable[[str], Connection],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = installation.store
        self._now_ms = installation.now_ms
        self._publisher = publisher
        self._clock = clock
        self._deliveries = Deliveries(connection_of)
        self._open: Sequence[QueuedCommand] = ()
        self._revision = -1

    async def run(self) -> None:
        """Poll until cancelled; return only by an exception."""
        while True:
            await self.step()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def step(self) -> None:
        """Look once, and hand over what is due.

        Raises:
            StoreError: the queue cannot be read or written.
        """
        await self._look()
        due = self._deliveries.due(self._open, self._clock())
        if not due:
            return
        sent = await self._hand_over(due)
        if sent:
            await asyncio.to_thread(self._store.note_commands_sent, sent)

    async def _look(self) -> None:
        revision = await asyncio.to_thread(self._store.command_revision)
        if revision != self._revision:
            # The revision was read first: what changes meanwhile is read again.
            self._open = await asyncio.to_thread(self._store.commands, only_open=True)
            self._revision = revision
            self._deliveries.keep(self._open)
        dead_ms = self._now_ms() - COMMAND_LIFETIME_MS
        late = [command for command in self._open if command.at_ms < dead_ms]
        if late:
            await asyncio.to_thread(self._store.expire_commands, dead_ms)
            for command in late:
                _log.warning(
                    "device %s has not answered command %d (%s) in time: it is given up",
                    command.device_id,
                    command.n,
                    command.name,
                )
            self._open = [command for command in self._open if command.at_ms >= dead_ms]

    async def _hand_over(self, due: Sequence[QueuedCommand]) -> list[_Place]:
        """Publish; return what went to a device that is connected."""
        sent: list[_Place] = []
        failed: set[str] = set()
        for command in due:
            name = command.device_id
            if name in failed:
                continue  # in order
            try:
                await self._publisher.publish(topic_of(name, Channel.COMMANDS), command.payload)
            except ServiceError as error:
                failed.add(name)
                if self._deliveries.failed(command, self._clock()):
                    _log.warning("command %d waits for device %s: %s", command.n, name, error)
                if error.reference.startswith("broker-"):
                    break  # it takes nothing for anybody now
                continue
            if self._deliveries.handed_over(command):
                sent.append((name, command.n))
                _log.info("command %d (%s) sent to device %s", command.n, command.name, name)
        return sent
