"""Ingest as brokers and the web side see it: nothing is acknowledged before it is stored."""

import asyncio
import contextlib
import json
import threading

import pytest

from seawall.errors import ServiceError, StoreError, StoreFullError
from seawall.ingest.feed import Feed
from seawall.ingest.service import CONGESTED_BATCHES, Ingest
from seawall.model.device import Board, Device, DeviceStatus, Profile, Trust
from seawall.model.history import ReadingQuery
from seawall.model.installation import IngestSettings
from seawall.model.message import Inbound
from seawall.model.reading import Reason, Refusal
from seawall.pki.secrets import derive_device_key
from seawall.testing.command_contract import order
from seawall.testing.memory_store import MemoryStore
from seawall.wire.commands import parse_command
from seawall.wire.envelope import open_sealed, seal

pytestmark = pytest.mark.anyio

NOW = 1_763_759_217_000
MASTER = b"m" * 32
KEY = derive_device_key(MASTER, "pump-1", 1)


def device(name="pump-1", status=DeviceStatus.ACTIVE):
    return Device(
        name, Board.UNIX, status, Profile.SEAWALL_1, Trust.CA_AND_PIN, 1, "1", "", 0, 0, 0
    )


def message(seq, *, boot=1, channel="readings", token=True, resend=False, tamper=False):
    topic = f"devices/pump-1/{channel}"
    wire = seal(b'{"temp":23.5,"boot":%d,"seq":%d}' % (boot, seq), topic, KEY)
    if tamper:
        wire = wire.replace(b"23.5", b"99.5")
    return Inbound("pump-1", topic, wire, resend, NOW, False, seq if token else None, "")


def status(online):
    payload = b'{"online":true}' if online else b'{"online":false}'
    return Inbound(None, "devices/pump-1/status", payload, False, NOW, False, "status", "")


@contextlib.asynccontextmanager
async def running(store, **options):
    ingest = Ingest(store, options.pop("settings", IngestSettings()), **options)
    ingest.update_devices([device()], MASTER)
    await ingest.start()
    try:
        yield ingest
    finally:
        store.failure = None
        await ingest.stop()


def stored(store):
    return [reading.seq for reading in store.readings(ReadingQuery())]


async def test_acknowledged_in_order_once_stored(eventually):
    store, acknowledged = MemoryStore(), []

    def settled(tokens):
        assert set(stored(store)) >= set(tokens)
        acknowledged.extend(tokens)

    async with running(store) as ingest:
        for first in range(0, 3000, 30):
            ingest.submit([message(seq) for seq in range(first, first + 30)], settled)
        await eventually(lambda: len(acknowledged) == 3000)
        assert acknowledged == list(range(3000))
        counters = ingest.counters
        assert (counters.received, counters.verified, counters.stored) == (3000, 3000, 3000)
        assert counters.batches < 20
        assert ingest.waiting == 0
    assert stored(store) == list(range(3000))


async def test_a_single_reading_does_not_wait_for_a_batch(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        ingest.submit([message(1)], acknowledged.extend)
        await eventually(lambda: acknowledged == [1], timeout_s=1)


async def test_messages_without_a_token_are_stored_and_nobody_is_called(eventually):
    store = MemoryStore()
    async with running(store) as ingest:
        ingest.submit([message(1, token=False)], lambda tokens: pytest.fail("no token"))
        await eventually(lambda: stored(store) == [1])


async def test_nothing_is_acknowledged_while_the_store_fails(eventually):
    store, acknowledged = MemoryStore(), []
    store.failure = StoreFullError("no room")
    async with running_after(store) as ingest:
        ingest.submit([message(1), message(2, tamper=True)], acknowledged.extend)
        ingest.submit([message(3)], acknowledged.extend)
        await eventually(lambda: ingest.counters.store_failures >= 2)
        assert acknowledged == []
        assert ingest.waiting == 3
        ingest.submit([message(1, resend=True)], acknowledged.extend)
        store.failure = None
        await eventually(lambda: len(acknowledged) == 4)
        assert acknowledged == [1, 2, 3, 1]
        assert stored(store) == [1, 3]
        assert ingest.counters.refused == {Reason.BAD_SIGNATURE: 1}
        assert store.refusal_counts() == {Reason.BAD_SIGNATURE: 1}
        assert ingest.counters.duplicates == 1


@contextlib.asynccontextmanager
async def running_after(store):
    """A service whose store breaks after it was opened."""
    failure, store.failure = store.failure, None
    async with running(store) as ingest:
        store.failure = failure
        yield ingest


async def test_an_error_that_is_no_store_error_loses_nothing_either(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        store.failure = ValueError("a bug in a driver")
        ingest.submit([message(1)], acknowledged.extend)
        await eventually(lambda: ingest.counters.store_failures >= 1)
        assert acknowledged == []
        store.failure = None
        await eventually(lambda: acknowledged == [1])


async def test_congested_while_too_much_waits(eventually):
    store, acknowledged = MemoryStore(), []
    settings = IngestSettings(batch_readings=10)
    async with running(store, settings=settings) as ingest:
        store.failure = StoreError("dead")
        assert not ingest.congested
        for first in range(0, 10 * CONGESTED_BATCHES + 40, 10):
            ingest.submit([message(seq) for seq in range(first, first + 10)], acknowledged.extend)
        assert ingest.congested
        store.failure = None
        await eventually(lambda: len(acknowledged) == 10 * CONGESTED_BATCHES + 40)
        assert not ingest.congested


async def test_the_loop_is_free_while_the_store_writes(eventually):
    store, acknowledged = MemoryStore(), []
    gate = threading.Event()
    append = store.append

    def slow(batch):
        assert threading.current_thread() is not threading.main_thread()
        gate.wait(10)
        return append(batch)

    store.append = slow
    async with running(store) as ingest:
        ingest.submit([message(1)], acknowledged.extend)
        await asyncio.sleep(0.03)
        ingest.submit([message(2)], acknowledged.extend)
        assert acknowledged == []
        assert ingest.waiting == 2
        gate.set()
        await eventually(lambda: acknowledged == [1, 2])


async def test_windows_survive_a_restart(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        ingest.submit([message(1), message(2)], acknowledged.extend)
        await eventually(lambda: acknowledged == [1, 2])
    async with running(store) as ingest:
        ingest.submit([message(2), message(2, resend=True), message(3)], acknowledged.extend)
        await eventually(lambda: acknowledged == [1, 2, 2, 2, 3])
        assert ingest.counters.refused == {Reason.REPLAY: 1}
        assert ingest.counters.duplicates == 1
    assert stored(store) == [1, 2, 3]


async def test_stop_commits_what_is_there():
    store, acknowledged = MemoryStore(), []
    ingest = Ingest(store, IngestSettings(batch_delay_ms=60_000))
    ingest.update_devices([device()], MASTER)
    await ingest.start()
    ingest.submit([message(1)], acknowledged.extend)
    ingest.refuse(Refusal(NOW, Reason.UNKNOWN_DEVICE, "x", "", "no such device"))
    await ingest.stop()
    assert acknowledged == [1]
    assert stored(store) == [1]
    assert store.refusal_counts() == {Reason.UNKNOWN_DEVICE: 1}
    ingest.submit([message(2)], acknowledged.extend)
    await ingest.stop()
    assert acknowledged == [1]


async def test_stop_gives_up_on_a_dead_store_and_acknowledges_nothing():
    store, acknowledged = MemoryStore(), []
    ingest = Ingest(store, IngestSettings())
    ingest.update_devices([device()], MASTER)
    await ingest.start()
    store.failure = StoreError("dead")
    ingest.submit([message(1)], acknowledged.extend)
    await ingest.stop(timeout_s=0.3)
    assert acknowledged == []


async def test_a_flood_of_refused_connections_is_bounded(eventually):
    store = MemoryStore()
    async with running(store) as ingest:
        for _ in range(5000):
            ingest.refuse(Refusal(NOW, Reason.UNKNOWN_DEVICE, "x", "", "no such device"))
        assert ingest.counters.refusals_dropped == 3000
        await eventually(lambda: store.refusal_counts() == {Reason.UNKNOWN_DEVICE: 2000})


async def test_a_driver_that_fails_to_acknowledge_stops_nobody_else(eventually):
    store, acknowledged = MemoryStore(), []

    def broken(tokens):
        raise ConnectionError("gone")

    async with running(store) as ingest:
        ingest.submit([message(1)], broken)
        ingest.submit([message(2)], acknowledged.extend)
        await eventually(lambda: acknowledged == [2])


async def test_presence_and_its_events(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        ingest.submit([status(True), status(True), status(False)], acknowledged.extend)
        await eventually(lambda: len(acknowledged) == 3)
        assert ingest.presence() == {"pump-1": (False, NOW)}
        kinds = [event.kind for event in store.events(subject="pump-1")]
        assert kinds == ["device-connected", "device-disconnected"]
        ingest.update_devices([], MASTER)
        assert ingest.presence() == {}


async def test_a_device_cannot_flood_the_log(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        events = [message(seq, channel="events") for seq in range(100)]
        ingest.submit(events, acknowledged.extend)
        await eventually(lambda: len(acknowledged) == 100)
        assert len(store.events(subject="pump-1")) == 20
        assert ingest.counters.notes_dropped == 80


async def test_a_revoked_device_is_refused_from_the_next_message_on(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        ingest.submit([message(1)], acknowledged.extend)
        await eventually(lambda: acknowledged == [1])
        ingest.update_devices([device(status=DeviceStatus.REVOKED)], MASTER)
        ingest.submit([message(2)], acknowledged.extend)
        await eventually(lambda: acknowledged == [1, 2])
        assert stored(store) == [1]
        assert ingest.counters.refused == {Reason.REVOKED_DEVICE: 1}


# What is told


async def test_devices_are_told_what_is_stored(eventually):
    store, sent, failing = MemoryStore(), [], [True]

    async def publish(topic, payload):
        if failing.pop() if failing else False:
            raise ServiceError("broker away")
        sent.append((topic, payload))

    async with running(store, publish=publish) as ingest:
        ingest.submit([status(True), message(5), message(6)], lambda tokens: None)
        await eventually(lambda: sent)
        topic, payload = sent[0]
        assert topic == "devices/pump-1/commands"
        command = parse_command(open_sealed(payload, topic, KEY))
        assert (command.name, command.boot, command.seq) == ("stored", 1, 6)


async def test_a_gap_that_is_filled_is_not_taken_for_news(eventually):
    store, news, acknowledged = MemoryStore(), [], []

    def accepted(readings):
        news.extend(reading.seq for reading in readings)

    async with running(store, accepted=accepted) as ingest:
        for seqs in ((1, 2, 5), (3, 4), (4, 6), (7,)):
            ingest.submit([message(seq, resend=True) for seq in seqs], acknowledged.extend)
            await eventually(lambda: ingest.waiting == 0)
        assert stored(store) == [1, 2, 3, 4, 5, 6, 7]
        assert news == [1, 2, 5, 6, 7]


async def test_notices_that_fail_are_told_later_in_their_newest_form(eventually):
    store, sent, away = MemoryStore(), [], [True]

    async def publish(topic, payload):
        if away:
            raise ServiceError("broker away")
        sent.append(parse_command(open_sealed(payload, topic, KEY)).seq)

    async with running(store, publish=publish) as ingest:
        acknowledged = []
        ingest.submit([status(True), message(5)], acknowledged.extend)
        await eventually(lambda: len(acknowledged) == 2)
        ingest.submit([message(6)], acknowledged.extend)
        away.clear()
        await eventually(lambda: sent and sent[-1] == 6)


async def test_the_feed_tells_what_was_committed():
    store, feed = MemoryStore(), Feed()
    async with running(store, feed=feed) as ingest:
        subscription = feed.subscribe()
        ingest.submit([status(True), message(1), message(2, tamper=True)], lambda tokens: None)
        heard = {}
        for _ in range(3):
            name, data = await asyncio.wait_for(anext(subscription), 5)
            assert b"\n" not in data
            heard[name] = json.loads(data)
        assert heard["presence"] == {"device_id": "pump-1", "online": True, "since_ms": NOW}
        assert heard["reading"] == {
            "device_id": "pump-1", "ts_ms": NOW, "received_ms": NOW, "boot": 1, "seq": 1,
            "metrics": {"temp": 23.5},
        }  # fmt: skip
        assert heard["refusal"]["reason"] == "bad-signature"
        assert heard["refusal"]["device_id"] == "pump-1"
        await subscription.aclose()
        assert feed.subscribers == 0


async def test_a_slow_subscriber_loses_the_oldest_and_is_told():
    store, feed = MemoryStore(), Feed(max_waiting=10)
    async with running(store, feed=feed) as ingest:
        slow, quick = feed.subscribe(), feed.subscribe()
        for seq in range(25):
            ingest.submit([message(seq)], lambda tokens: None)
        await ingest.stop()
        heard = [json.loads(data) async for name, data in quick]
        assert heard[0]["lost"] == 15
        assert [event["seq"] for event in heard[1:]] == list(range(15, 25))
        assert (await anext(slow))[0] == "resync"


async def test_of_a_large_batch_only_the_newest_of_each_device_is_told():
    store, feed = MemoryStore(), Feed()
    async with running(store, feed=feed) as ingest:
        subscription = feed.subscribe()
        ingest.submit([message(seq) for seq in range(300)], lambda tokens: None)
        name, data = await asyncio.wait_for(anext(subscription), 5)
        assert (name, json.loads(data)["seq"]) == ("reading", 299)


def reply(n, *, token="reply", **members):
    body = json.dumps({"re": n, "ok": True, **members}).encode()
    topic = "devices/pump-1/replies"
    return Inbound("pump-1", topic, seal(body, topic, KEY), False, NOW, False, token, "")


async def test_a_reply_answers_its_command_before_it_is_acknowledged(eventually):
    store, acknowledged = MemoryStore(), []
    order(store, "pump-1")
    order(store, "pump-1")

    def settled(tokens):
        assert store.commands()[1].answered_ms == NOW
        acknowledged.extend(tokens)

    async with running(store) as ingest:
        ingest.submit([reply(2), reply(77, token="none")], settled)
        await eventually(lambda: acknowledged == ["reply", "none"])
    superseded, answered = store.commands()
    assert (superseded.state, answered.state) == ("superseded", "answered")
    assert json.loads(answered.answer) == {"re": 2, "ok": True}
    replies = [event for event in store.events() if event.kind == "device-reply"]
    assert [event.detail["re"] for event in replies] == ["2", "77"]


async def test_an_answer_waits_for_the_store(eventually):
    store, acknowledged = MemoryStore(), []
    order(store, "pump-1")
    async with running(store) as ingest:
        store.failure = StoreFullError("full")
        ingest.submit([reply(1), message(1)], acknowledged.extend)
        await eventually(lambda: ingest.counters.store_failures >= 2)
        assert acknowledged == []
        store.failure = None
        await eventually(lambda: len(acknowledged) == 2)
    assert store.commands()[0].state == "answered"


async def test_an_answer_that_is_too_long_to_keep_is_cut_to_json(eventually):
    store = MemoryStore()
    order(store, "pump-1")
    async with running(store) as ingest:
        ingest.submit([reply(1, note="x" * 2000)], lambda tokens: None)
        await eventually(lambda: store.commands()[0].answer)
    assert json.loads(store.commands()[0].answer) == {"re": 1, "ok": True}


async def test_connections_are_told_apart(eventually):
    store, acknowledged = MemoryStore(), []
    async with running(store) as ingest:
        assert ingest.connection("pump-1") == (None, 0)
        for online, then in ((True, (True, 1)), (False, (False, 1)), (True, (True, 2))):
            ingest.submit([status(online)], acknowledged.extend)
            await eventually(lambda then=then: ingest.connection("pump-1") == then)
        ingest.submit([status(True)], acknowledged.extend)  # a broker that was killed tells no will
        await eventually(lambda: ingest.connection("pump-1") == (True, 3))
        ingest.update_devices([], MASTER)
        assert ingest.connection("pump-1") == (None, 0)
