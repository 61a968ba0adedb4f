"""What devices say of their software reaches roll-outs before it is acknowledged, and once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from seawall.errors import StoreFullError
from seawall.ingest.service import Ingest
from seawall.model.device import Board, Device, DeviceStatus, Profile, Trust
from seawall.model.installation import IngestSettings
from seawall.model.message import Inbound
from seawall.model.reading import Reason
from seawall.model.rollout import WayState
from seawall.pki.secrets import derive_device_key
from seawall.testing.memory_store import MemoryStore
from seawall.testing.rollout_contract import begin, offer, way_of
from seawall.wire.envelope import seal

pytestmark = pytest.mark.anyio

NOW = 1_763_759_217_000
MASTER = b"m" * 32
UPDATE = {"event": "update", "re": 1, "version": "1.2.0", "percent": 40}
RUNNING = {"event": "running", "version": "1.2.0", "slot": "b", "trial": False}


def message(members: dict[str, Any], *, channel: str = "events", token: str = "t") -> Inbound:
    topic = f"devices/a/{channel}"
    wire = seal(json.dumps(members).encode(), topic, derive_device_key(MASTER, "a", 1))
    return Inbound("a", topic, wire, False, NOW, False, token, "")


def update(state: str, boot: int = 1, **members: Any) -> Inbound:
    return message({**UPDATE, "state": state, "boot": boot, **members})


@contextlib.asynccontextmanager
async def running(store: MemoryStore) -> AsyncIterator[Ingest]:
    ingest = Ingest(store, IngestSettings())
    device = Device(
        "a", Board.UNIX, DeviceStatus.ACTIVE, Profile.SEAWALL_1, Trust.CA, 1, "1", "", 0, 0, 0
    )
    ingest.update_devices([device], MASTER)
    await ingest.start()
    try:
        yield ingest
    finally:
        store.failure = None
        await ingest.stop()


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    begin(store)
    offer(store)
    return store


Eventually = Callable[[Callable[[], bool]], Any]


async def test_a_report_is_stored_before_it_is_acknowledged(
    store: MemoryStore, eventually: Eventually
) -> None:
    acknowledged: list[str] = []

    def settled(tokens: Any) -> None:
        assert way_of(store).state is WayState.CONFIRMED
        assert [entry.version for entry in store.software()] == ["1.2.0"]
        acknowledged.extend(tokens)

    async with running(store) as ingest:
        said = [update("downloading"), update("trying"), update("confirmed", 2)]
        ingest.submit([*said, message({**RUNNING, "boot": 2})], settled)
        await eventually(lambda: len(acknowledged) == 4)
    steps = [step.state.value for step in way_of(store).steps]
    assert steps == ["offered", "downloading", "trying", "confirmed"]


async def test_a_report_waits_for_the_store(store: MemoryStore, eventually: Eventually) -> None:
    acknowledged: list[str] = []
    async with running(store) as ingest:
        store.failure = StoreFullError("full")
        ingest.submit([update("trying")], acknowledged.extend)
        await eventually(lambda: ingest.counters.store_failures > 1)
        assert acknowledged == []
        store.failure = None
        await eventually(lambda: acknowledged == ["t"])
    assert way_of(store).state is WayState.TRYING


async def test_what_was_said_before_undoes_nothing(
    store: MemoryStore, eventually: Eventually
) -> None:
    acknowledged: list[str] = []
    said = [
        update("trying"),
        update("rolled-back", 3, reason="boot-loop", again=False),
        message({**RUNNING, "version": "1.1", "boot": 3}),
    ]
    async with running(store) as ingest:
        ingest.submit(said, acknowledged.extend)
        again = [*said, message({**RUNNING, "version": "9", "boot": 2}), update("confirmed", 4)]
        ingest.submit(again, acknowledged.extend)
        await eventually(lambda: len(acknowledged) == 8)
    way = way_of(store)
    assert (way.state, way.reason, way.boot) == (WayState.ROLLED_BACK, "boot-loop", 3)
    assert [entry.version for entry in store.software()] == ["1.1"]


async def test_a_reply_that_refuses_ends_the_way(
    store: MemoryStore, eventually: Eventually
) -> None:
    acknowledged: list[str] = []
    async with running(store) as ingest:
        busy = {"re": 1, "ok": False, "reason": "busy", "again": True}
        ingest.submit([message(busy, channel="replies")], acknowledged.extend)
        await eventually(lambda: len(acknowledged) == 1)
    way = way_of(store)
    assert (way.state, way.reason, way.again) == (WayState.REFUSED, "busy", True)
    assert store.commands()[0].answer is not None


async def test_what_is_forged_or_malformed_moves_nothing(
    store: MemoryStore, eventually: Eventually
) -> None:
    acknowledged: list[str] = []
    forged = update("confirmed")
    forged = forged._replace(payload=forged.payload.replace(b"confirmed", b"tryingxxx"))
    foreign = update("confirmed")._replace(identity="b")
    async with running(store) as ingest:
        ingest.submit(
            [forged, foreign, update("flying"), update("trying", -1)], acknowledged.extend
        )
        await eventually(lambda: len(acknowledged) == 4)
    assert way_of(store).state is WayState.OFFERED
    assert store.refusal_counts() == {
        Reason.BAD_SIGNATURE: 1,
        Reason.WRONG_TOPIC: 1,
        Reason.MALFORMED: 2,
    }
