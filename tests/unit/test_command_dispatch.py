"""When queued commands are handed to the broker, and when not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.daemon.command_dispatch import (
    FIRST_RETRY_S,
    LAST_RETRY_S,
    REPEAT_AFTER_S,
    CommandDispatch,
    Deliveries,
)
from seawall.errors import ServiceError
from seawall.ingest.presence import Connection
from seawall.model.command import COMMAND_LIFETIME_MS, CommandAnswer
from seawall.model.installation import Settings, StatePaths
from seawall.operations.installation import Installation
from seawall.pki.keystore import Keystore
from seawall.testing.command_contract import T0_MS, a_command, order, states
from seawall.testing.memory_store import MemoryStore
from seawall.wire.mqtt.session import MAX_COMMANDS, ServerSession

pytestmark = pytest.mark.anyio


class Site:
    """A queue, a broker and devices, played by hand."""

    def __init__(self, state: Path) -> None:
        self.store = MemoryStore()
        self.now_s = 100.0
        self.connections: dict[str, Connection] = {}
        self.failure: ServiceError | None = None
        self.published: list[tuple[str, bytes]] = []
        self.asked: list[str] = []
        self.new_daemon: Callable[[], CommandDispatch] = lambda: CommandDispatch(
            Installation(
                StatePaths(state), Settings(), self.store, Keystore(state), self.now_ms, "daemon"
            ),
            self,
            self.connection_of,
            lambda: self.now_s,
        )
        self.dispatch = self.new_daemon()

    def now_ms(self) -> int:
        return T0_MS + round(self.now_s * 1000)

    def connection_of(self, device_id: str) -> Connection:
        return self.connections.get(device_id, Connection(None, 0))

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert not retain
        self.asked.append(topic)
        if self.failure is not None:
            raise self.failure
        self.published.append((topic, payload))

    async def step(self, seconds: float = 0.2) -> list[str]:
        """Let time pass and the daemon look once; return whom it sent something."""
        self.now_s += seconds
        self.published.clear()
        self.asked.clear()
        await self.dispatch.step()
        return [topic.split("/")[1] for topic, _ in self.published]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_a_connected_device_gets_each_command_once_in_order(site: Site) -> None:
    site.connections = {"a": Connection(True, 1)}
    commands = [order(site.store), order(site.store)]
    assert await site.step() == ["a", "a"]
    assert site.published == [("devices/a/commands", command.payload) for command in commands]
    assert states(site.store) == ["sent", "sent"]
    for _ in range(3):
        assert await site.step(10) == []


async def test_a_sleeping_device_gets_it_when_it_connects(site: Site) -> None:
    site.connections = {"a": Connection(False, 3)}
    order(site.store)
    assert await site.step() == []
    assert states(site.store) == ["queued"]
    site.connections = {"a": Connection(True, 4)}
    assert await site.step() == ["a"]
    assert states(site.store) == ["sent"]


async def test_it_is_sent_again_on_each_connection_until_it_is_answered(site: Site) -> None:
    site.connections = {"a": Connection(True, 1)}
    command = order(site.store)
    assert await site.step() == ["a"]
    site.connections = {"a": Connection(True, 2)}
    later = order(site.store)
    # The broker may have kept the first one, so the device gets a moment; nothing overtakes.
    assert await site.step() == []
    assert await site.step(REPEAT_AFTER_S) == ["a", "a"]
    site.connections = {"a": Connection(True, 3)}
    site.store.answer_commands([CommandAnswer("a", command.n, T0_MS, "{}")])
    assert await site.step() == []
    assert await site.step(REPEAT_AFTER_S) == ["a"]
    assert site.published[0][1] == later.payload


async def test_a_daemon_that_was_restarted_sends_what_is_open(site: Site) -> None:
    site.connections = {"a": Connection(True, 1)}
    order(site.store)
    assert await site.step() == ["a"]
    site.dispatch = site.new_daemon()
    assert await site.step() == ["a"]


async def test_a_device_that_tells_no_status_is_tried_once(site: Site) -> None:
    order(site.store)
    assert await site.step() == ["a"]
    assert states(site.store) == ["queued"]  # nobody knows that it is there
    assert await site.step(100) == []
    site.connections = {"a": Connection(True, 1)}
    assert await site.step() == []
    assert await site.step(REPEAT_AFTER_S) == ["a"]
    assert states(site.store) == ["sent"]


async def test_what_is_too_old_is_given_up_and_never_sent(site: Site) -> None:
    first = order(site.store)
    site.connections = {"a": Connection(False, 1)}
    site.now_s = (first.at_ms - T0_MS + COMMAND_LIFETIME_MS) / 1000
    assert await site.step(0) == []
    assert states(site.store) == ["queued"]
    site.connections = {"a": Connection(True, 2)}
    assert await site.step(1) == []
    assert states(site.store) == ["expired"]


async def test_a_broker_that_is_away_is_asked_once_a_round_and_slower(site: Site) -> None:
    site.connections = {"a": Connection(True, 1), "b": Connection(True, 1)}
    order(site.store), order(site.store), order(site.store, "b")
    site.failure = ServiceError("away", reference="broker-unreachable")
    await site.step()
    assert site.asked == ["devices/a/commands"]
    asked = 0
    for _ in range(600):
        await site.step()
        asked += len(site.asked)
    assert asked <= 2 * (120 / LAST_RETRY_S + 6)
    assert states(site.store) == ["queued", "queued"]
    site.failure = None
    await site.step(LAST_RETRY_S)
    assert sorted(states(site.store) + states(site.store, "b")) == ["sent"] * 3


async def test_a_device_that_the_broker_refuses_stops_no_other(site: Site) -> None:
    site.connections = {"a": Connection(True, 1), "b": Connection(True, 1)}
    order(site.store), order(site.store), order(site.store, "b")
    site.failure = ServiceError("revoked", reference="device-not-active")
    await site.step()
    assert site.asked == ["devices/a/commands", "devices/b/commands"]
    await site.step(FIRST_RETRY_S / 2)
    assert site.asked == []


def test_nothing_of_what_is_closed_is_remembered() -> None:
    deliveries = Deliveries(lambda _: Connection(True, 1))
    commands = [a_command("a"), a_command("b")]
    for command in deliveries.due(commands, 0.0):
        deliveries.handed_over(command)
    deliveries.failed(commands[1], 0.0)
    deliveries.keep(commands[:1])
    assert deliveries.due(commands, 1.0) == [commands[1]]
    assert deliveries.due([replace(commands[0], n=2)], 1.0) != []


def test_the_builtin_broker_keeps_the_same_order_once() -> None:
    session = ServerSession("a")
    assert all(session.add_command("devices/a/commands", b"one") for _ in range(3))
    assert session.open_commands == 1
    for n in range(MAX_COMMANDS - 1):
        assert session.add_command("devices/a/commands", b"%d" % n)
    assert not session.add_command("devices/a/commands", b"new")
    assert session.add_command("devices/a/commands", b"one")
