"""The subscriber against a scripted broker on the loopback interface."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from seawall.errors import ServiceError
from seawall.ingest import subscription as subscription_module
from seawall.ingest.link import BrokerAddress
from seawall.ingest.subscriber import Subscriber
from seawall.model.message import Inbound
from seawall.model.reading import Reading
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode

pytestmark = pytest.mark.anyio

READINGS = "devices/a/readings"
STATUS = "devices/a/status"


class Sink:
    def __init__(self) -> None:
        self.messages: list[Inbound] = []
        self.congested = False
        self.holding = False
        self.waiting: list[tuple[Callable[[Sequence[Any]], None], list[Any]]] = []

    def submit(self, messages: Sequence[Inbound], settled: Callable[[Sequence[Any]], None]) -> None:
        self.messages.extend(messages)
        self.waiting.append((settled, [m.token for m in messages if m.token is not None]))
        if not self.holding:
            self.release()

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for settled, tokens in waiting:
            settled(tokens)


class Peer:
    """One connection, as the scripted broker sees it."""

    def __init__(
        self, broker: FakeBroker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.broker = broker
        self.reader = reader
        self.writer = writer
        self.got: list[p.Packet] = []
        self.bytes_seen = 0

    def send(self, *packets: p.Packet) -> None:
        self.writer.write(b"".join(map(encode, packets)))

    def reading(self, number: int, *, dup: bool = False, payload: bytes = b"{}") -> None:
        self.send(p.Publish(READINGS, payload, 1, False, dup, number))

    @property
    def acknowledged(self) -> list[int]:
        return [packet.packet_id for packet in self.got if isinstance(packet, p.PubAck)]

    async def serve(self) -> None:
        decoder = Decoder(1 << 20)
        while data := await self.reader.read(65536):
            self.bytes_seen += len(data)
            for packet in decoder.feed(data):
                self.got.append(packet)
                if self.broker.answers:
                    self.answer(packet)

    def answer(self, packet: p.Packet) -> None:
        broker = self.broker
        if isinstance(packet, p.Connect):
            self.send(p.ConnAck(broker.session_present, broker.connack))
        elif isinstance(packet, p.Subscribe):
            codes = tuple(broker.suback for _ in packet.subscriptions)
            self.send(p.SubAck(packet.packet_id, codes))
        elif isinstance(packet, p.Publish):
            own = packet.topic.endswith("/self")
            if own or broker.acknowledges:
                self.send(p.PubAck(packet.packet_id))
            if own and broker.delivers:
                self.send(*broker.backlog, packet._replace(packet_id=9))
        elif isinstance(packet, p.PingReq):
            self.send(p.PingResp())


class FakeBroker:
    def __init__(self) -> None:
        self.answers = True
        self.session_present = False
        self.connack = 0
        self.suback = 1
        self.acknowledges = True
        self.delivers = True
        self.backlog: list[p.Packet] = []
        self.peers: list[Peer] = []

    @property
    def peer(self) -> Peer:
        return self.peers[-1]

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self, reader, writer)
        self.peers.append(peer)
        with suppress(ConnectionError, asyncio.CancelledError):
            await peer.serve()
        writer.close()


class Stage:
    def __init__(self, broker: FakeBroker, sink: Sink, subscriber: Subscriber) -> None:
        self.broker = broker
        self.sink = sink
        self.subscriber = subscriber


@asynccontextmanager
async def playing(keep_alive_s: int = 30) -> AsyncIterator[Stage]:
    broker, sink = FakeBroker(), Sink()
    server = await asyncio.start_server(broker.accept, "127.0.0.1", 0)
    address = BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    subscriber = Subscriber(address, sink, keep_alive_s=keep_alive_s)
    task = asyncio.create_task(subscriber.run())
    try:
        yield Stage(broker, sink, subscriber)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        for peer in broker.peers:
            peer.writer.close()
        server.close()


async def until(predicate: Callable[[], Any], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not predicate():  # noqa: ASYNC110  any predicate
            await asyncio.sleep(0.005)


async def connected(stage: Stage) -> Peer:
    await asyncio.wait_for(stage.subscriber.wait_connected(), 5)
    return stage.broker.peer


async def test_asks_for_a_persistent_session_and_all_channels_with_qos_1() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        connect, subscribe = peer.got[:2]
        assert isinstance(connect, p.Connect)
        assert (connect.client_id, connect.clean_start) == ("@ingest", False)
        assert isinstance(subscribe, p.Subscribe)
        asked = {entry.topic_filter: entry.qos for entry in subscribe.subscriptions}
        assert asked.pop("devices/@ingest/self") == 1
        channels = ("readings", "status", "events", "replies")
        assert asked == {f"devices/+/{channel}": 1 for channel in channels}


async def test_hands_messages_over_with_what_they_are() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        peer.send(
            p.Publish(READINGS, b"\x00one", 1, packet_id=1),
            p.Publish("devices/b/events", b"two", 0),
            p.Publish(STATUS, b'{"online":false}', 1, retain=True, packet_id=2),
        )
        await until(lambda: len(stage.sink.messages) == 3)
        first, second, third = stage.sink.messages
        assert (first.identity, first.topic, first.payload) == (None, READINGS, b"\x00one")
        assert (first.retained, first.may_be_resend, first.token is None) == (False, False, False)
        assert (second.topic, second.token) == ("devices/b/events", None)
        assert third.retained
        assert len({message.received_ms for message in stage.sink.messages}) == 1


async def test_acknowledges_in_order_and_only_what_is_settled() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        await until(lambda: peer.acknowledged == [9])
        stage.sink.holding = True
        for number in range(1, 4):
            peer.reading(number)
        await until(lambda: len(stage.sink.messages) == 3)
        await asyncio.sleep(0.05)
        assert peer.acknowledged == [9]
        stage.sink.release()
        await until(lambda: peer.acknowledged == [9, 1, 2, 3])


async def test_its_own_message_is_acknowledged_in_its_turn() -> None:
    async with playing() as stage:
        stage.sink.holding = True
        stage.broker.backlog = [p.Publish(READINGS, b"{}", 1, packet_id=n) for n in (1, 2)]
        peer = await connected(stage)
        assert peer.acknowledged == []
        stage.sink.release()
        await until(lambda: peer.acknowledged == [1, 2, 9])


async def test_a_backlog_of_an_older_session_may_be_a_resend() -> None:
    async with playing() as stage:
        stage.broker.session_present = True
        stage.broker.backlog = [p.Publish(READINGS, b"old", 1, packet_id=1)]
        peer = await connected(stage)
        peer.reading(2, payload=b"new")
        peer.reading(3, payload=b"again", dup=True)
        await until(lambda: len(stage.sink.messages) == 3)
        flags = {message.payload: message.may_be_resend for message in stage.sink.messages}
        assert flags == {b"old": True, b"new": False, b"again": True}


async def test_a_device_that_connected_may_resend_until_it_sent_something_new() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        peer.reading(1)
        peer.send(p.Publish(STATUS, b'{"online":true}', 1, packet_id=2))
        peer.reading(3)
        await until(lambda: len(stage.sink.messages) == 3)
        stage.subscriber.resending.accepted([Reading("a", 1, 1, 1, 1, b"{}")])
        peer.reading(4)
        await until(lambda: len(stage.sink.messages) == 4)
        assert [message.may_be_resend for message in stage.sink.messages] == [
            False,
            False,
            True,
            False,
        ]


async def test_stops_reading_while_the_sink_is_congested() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        stage.sink.congested = True
        peer.reading(1)
        await until(lambda: len(stage.sink.messages) == 1)
        for number in range(2, 50):
            peer.reading(number)
            await asyncio.sleep(0.002)
        assert len(stage.sink.messages) < 10
        stage.sink.congested = False
        await until(lambda: len(stage.sink.messages) == 49)


async def test_is_not_connected_until_messages_are_proven_to_arrive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscription_module, "_SILENCE_S", 0.2)
    monkeypatch.setattr(subscription_module, "_WATCH_S", 0.05)
    async with playing() as stage:
        stage.broker.delivers = False
        await until(lambda: len(stage.broker.peers) >= 2)
        assert not stage.subscriber.connected
        stage.broker.delivers = True
        await connected(stage)


@pytest.mark.parametrize("trouble", ["refuses", "denies", "garbage", "closes", "silent"])
async def test_comes_back_after_every_kind_of_trouble(
    trouble: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscription_module, "_SILENCE_S", 0.2)
    monkeypatch.setattr(subscription_module, "_WATCH_S", 0.05)
    async with playing(keep_alive_s=1) as stage:
        if trouble == "refuses":
            stage.broker.connack = 5
        elif trouble == "denies":
            stage.broker.suback = 0x80
        else:
            peer = await connected(stage)
            if trouble == "garbage":
                peer.writer.write(b"\xff" * 20)
            elif trouble == "closes":
                peer.writer.close()
            else:
                stage.broker.answers = False
        await until(lambda: len(stage.broker.peers) >= 2)
        stage.broker.connack, stage.broker.suback, stage.broker.answers = 0, 1, True
        peer = await connected(stage)
        peer.reading(1)
        await until(lambda: stage.sink.messages)


async def test_comes_back_when_nobody_listens_for_a_while(free_port: Callable[[], int]) -> None:
    broker, sink, port = FakeBroker(), Sink(), free_port()
    subscriber = Subscriber(BrokerAddress("127.0.0.1", port), sink)
    task = asyncio.create_task(subscriber.run())
    await asyncio.sleep(0.1)
    server = await asyncio.start_server(broker.accept, "127.0.0.1", port)
    await asyncio.wait_for(subscriber.wait_connected(), 5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    server.close()


async def test_keeps_an_idle_connection_alive() -> None:
    async with playing(keep_alive_s=1) as stage:
        peer = await connected(stage)
        await until(lambda: sum(isinstance(packet, p.PingReq) for packet in peer.got) >= 2)
        assert stage.subscriber.connected
        assert len(stage.broker.peers) == 1


async def test_publishes_and_waits_for_the_acknowledgement() -> None:
    async with playing() as stage:
        peer = await connected(stage)
        await stage.subscriber.publish("devices/a/commands", b"go", retain=True)
        sent = [packet for packet in peer.got if isinstance(packet, p.Publish)][-1]
        assert (sent.topic, sent.payload, sent.qos, sent.retain) == (
            "devices/a/commands",
            b"go",
            1,
            True,
        )


async def test_a_publication_that_is_not_acknowledged_is_an_error() -> None:
    async with playing() as stage:
        stage.broker.acknowledges = False
        peer = await connected(stage)
        order = asyncio.create_task(stage.subscriber.publish("devices/a/commands", b"go"))
        await until(
            lambda: any(
                isinstance(packet, p.Publish) and packet.payload == b"go" for packet in peer.got
            )
        )
        peer.writer.close()
        with pytest.raises(ServiceError, match="lost"):
            await order


async def test_publishing_while_not_connected_is_an_error() -> None:
    subscriber = Subscriber(BrokerAddress("127.0.0.1", 1), Sink())
    with pytest.raises(ServiceError) as caught:
        await subscriber.publish("devices/a/commands", b"go")
    assert caught.value.reference == "broker-unreachable"


async def test_settling_after_the_connection_was_lost_harms_nothing() -> None:
    async with playing() as stage:
        stage.sink.holding = True
        peer = await connected(stage)
        peer.reading(1)
        await until(lambda: stage.sink.messages)
        peer.writer.close()
        await until(lambda: len(stage.broker.peers) == 2)
        peer = await connected(stage)
        stage.sink.release()
        peer.reading(1, dup=True)
        await until(lambda: len(stage.sink.messages) == 2)
        stage.sink.release()
        await until(lambda: 1 in peer.acknowledged)
        assert peer.acknowledged.count(1) == 1
