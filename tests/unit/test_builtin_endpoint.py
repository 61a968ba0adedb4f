"""The endpoint over socket pairs: whatever happens in whatever order, its books stay right."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seawall.broker.drivers.builtin.endpoint import Endpoint
from seawall.broker.drivers.builtin.link import Link
from seawall.broker.drivers.builtin.poller import Poller
from seawall.broker.policy import AccessPolicy
from seawall.broker.port import Settled
from seawall.errors import ProtocolError
from seawall.model.installation import MqttSettings
from seawall.model.message import Inbound
from seawall.model.reading import Reason, Refusal
from seawall.pki.peers import Peer
from seawall.testing.builtin_rig import PlainTransport
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5, V311, Property
from seawall.wire.mqtt.decoder import Decoder
from seawall.wire.mqtt.encoder import encode

DEVICES = ("a", "b", "c", "@ingest")


@pytest.fixture(autouse=True, scope="module")
def _nothing_unforeseen() -> Iterator[None]:
    """What the endpoint would log and survive is a failure here."""

    def serve(owner: Any, mask: int) -> None:
        owner.on_ready(mask)

    def fault(_link: Link) -> None:
        raise AssertionError("unforeseen")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Poller, "_serve", staticmethod(serve))
        patch.setattr(Link, "on_fault", fault)
        yield


class Sink:
    def __init__(self) -> None:
        self.congested = False
        self.messages: list[Inbound] = []
        self.held: list[tuple[Settled, list[Any]]] = []
        self.refusals: list[Refusal] = []

    def submit(self, messages: Sequence[Inbound], settled: Settled) -> None:
        self.messages += messages
        self.held.append((settled, [message.token for message in messages]))

    def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    def settle(self) -> None:
        held, self.held = self.held, []
        for settled, tokens in held:
            settled(tokens)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


class Bench:
    """An endpoint without listener, TLS and event loop: turns are taken by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sink = Sink()
        self.identity = "a"
        self.endpoint = Endpoint(
            MqttSettings(max_connections=6, connect_timeout_s=10.0),
            self.sink,
            lambda sock: PlainTransport(sock, Peer(self.identity, "1", 4e9)),
            clock=lambda: self.now,
            now_ms=lambda: int(self.now * 1000),
        )
        self.active = {name: "1" for name in DEVICES if name != "@ingest"}
        self.endpoint.enforce(AccessPolicy(self.active))
        self.peers: list[tuple[socket.socket, Decoder, list[p.Packet]]] = []
        self.port = 1000

    def turn(self) -> None:
        for _ in range(3):
            self.endpoint.poller._turn()
            for sock, decoder, heard in self.peers:
                # The version may be mistaken here, after a CONNECT that came out of turn.
                with contextlib.suppress(OSError, ProtocolError):
                    heard.extend(decoder.feed(sock.recv(1 << 20)))

    def dial(self, identity: str, version: int) -> None:
        ours, theirs = tcp_pair()
        ours.setblocking(False)
        self.identity = identity
        self.port += 1
        self.endpoint.reception._receive(theirs, "10.0.0.1", self.port)
        self.peers.append((ours, Decoder(1 << 20, version=version), []))

    def check(self) -> None:
        endpoint, reception = self.endpoint, self.endpoint.reception
        assert set(endpoint._live.values()) <= reception.links
        for identity, link in endpoint._live.items():
            assert link.identity == identity
            assert link.stage == "open"
            assert link.machine.is_open
            assert link.machine.unsettled >= 0
            assert endpoint.hub._sessions[identity] is link.machine.session
        for waiting in (reception._half_open, reception._finishing):
            assert waiting.keys() <= reception.links
        assert len(reception.links) <= 6
        assert sum(reception._by_address.values()) == len(reception.links)
        assert set(endpoint.poller._owners.values()) == reception.links
        assert endpoint.traffic._paused <= reception.links
        assert not endpoint.hub._asleep.keys() & endpoint._live.keys()
        for message in self.sink.messages:
            assert message.identity == "@ingest" or message.topic.split("/")[1] == message.identity

    def close(self) -> None:
        self.endpoint.stop()
        assert not self.endpoint.reception.links
        for sock, _, _ in self.peers:
            sock.close()


names = st.sampled_from(DEVICES)
versions = st.sampled_from([V311, V5])
packets = st.one_of(
    st.builds(
        lambda name, clean, version, will, expiry: p.Connect(
            name,
            clean,
            10,
            version,
            will=p.Will(f"devices/{name}/status", b"gone", 1, True) if will else None,
            properties={Property.SESSION_EXPIRY: expiry} if version == V5 and expiry else None,
        ),
        names,
        st.booleans(),
        versions,
        st.booleans(),
        st.sampled_from([0, 100]),
    ),
    st.builds(
        lambda name, channel, qos, number, retain: p.Publish(
            f"devices/{name}/{channel}", b"x", qos, retain, False, number if qos else 0
        ),
        names,
        st.sampled_from(["readings", "status", "commands", "secrets"]),
        st.integers(0, 2),
        st.integers(1, 4),
        st.booleans(),
    ),
    st.builds(
        lambda name, tail, qos: p.Subscribe(
            1, (p.Subscription(f"devices/{name}/{tail}", qos), p.Subscription("devices/#", 1))
        ),
        names,
        st.sampled_from(["#", "commands", "+"]),
        st.integers(0, 2),
    ),
    st.integers(1, 4).map(p.PubRel),
    st.integers(1, 4).map(p.PubAck),
    st.sampled_from([p.PingReq(), p.Disconnect()]),
)
actions = st.one_of(
    st.tuples(st.just("join"), names, versions, st.booleans(), st.booleans()),
    st.tuples(st.just("dial"), names, versions),
    st.tuples(st.just("send"), st.integers(0, 7), st.lists(packets, min_size=1, max_size=5)),
    st.tuples(st.just("junk"), st.integers(0, 7), st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("close"), st.integers(0, 7)),
    st.tuples(st.just("settle")),
    st.tuples(st.just("congest"), st.booleans()),
    st.tuples(st.just("time"), st.sampled_from([1.0, 4.0, 60.0])),
    st.tuples(st.just("policy"), names, st.sampled_from(["in", "out", "off"])),
    st.tuples(st.just("order"), st.sampled_from(["a", "b"])),
)


def act(bench: Bench, action: tuple[Any, ...]) -> None:
    match action:
        case ("dial", identity, version):
            bench.dial(identity, version)
        case ("join", name, version, clean, lasting):
            bench.dial(name, version)
            expiry = {Property.SESSION_EXPIRY: 100} if lasting and version == V5 else None
            will = p.Will(f"devices/{name}/status", b"gone", 1, True) if clean else None
            connect = p.Connect(name, clean, 10, version, will=will, properties=expiry)
            with contextlib.suppress(OSError):
                bench.peers[-1][0].send(encode(connect))
        case ("send", index, several) if index < len(bench.peers):
            sock, decoder, _ = bench.peers[index]
            with contextlib.suppress(OSError):
                for packet in several:
                    if isinstance(packet, p.Connect):
                        decoder.version = packet.version
                    sock.send(encode(packet, decoder.version))
        case ("junk", index, data) if index < len(bench.peers):
            with contextlib.suppress(OSError):
                bench.peers[index][0].send(data)
        case ("close", index) if index < len(bench.peers):
            bench.peers[index][0].close()
        case ("settle",):
            bench.sink.settle()
        case ("congest", congested):
            bench.sink.congested = congested
            bench.endpoint.traffic._relieve()
        case ("time", seconds):
            bench.now += seconds
            bench.endpoint.sweep()
        case ("policy", name, how):
            bench.active = dict.fromkeys((*bench.active, name), "1")
            if how != "in":
                del bench.active[name]
            refused = {name: Reason.DISABLED_DEVICE} if how == "off" else {}
            bench.endpoint.enforce(AccessPolicy(bench.active, refused))
        case ("order", name):
            bench.endpoint.command(name, f"devices/{name}/commands", b"order")


@settings(max_examples=150)
@given(st.lists(actions, max_size=40))
def test_the_books_stay_right(script):
    bench = Bench()
    try:
        for action in script:
            act(bench, action)
            bench.turn()
            bench.check()
        bench.sink.congested = False
        bench.endpoint.traffic._relieve()
        bench.turn()
        bench.sink.settle()
        for link in bench.endpoint._live.values():
            assert not link.paused
            assert link.machine.unsettled == 0
            assert all(link.machine.session.incoming.values())
    finally:
        bench.close()


def open_device(bench: Bench, name: str, version: int = V311, **options: Any) -> int:
    bench.dial(name, version)
    index = len(bench.peers) - 1
    bench.peers[index][0].send(encode(p.Connect(name, version=version, **options)))
    bench.turn()
    assert isinstance(bench.peers[index][2].pop(0), p.ConnAck)
    return index


def test_acknowledgements_of_a_turn_go_out_in_one_write_a_connection():
    bench = Bench()
    one, two = open_device(bench, "a"), open_device(bench, "b")
    for index, name in ((one, "a"), (two, "b")):
        for number in range(1, 50):
            packet = p.Publish(f"devices/{name}/readings", b"x", 1, packet_id=number)
            bench.peers[index][0].send(encode(packet))
    bench.turn()
    assert len(bench.sink.messages) == 98
    assert bench.peers[one][2] == []
    writes = []
    for link in bench.endpoint._live.values():
        real = link._transport.write
        link._transport.write = lambda data, real=real: writes.append(data) or real(data)
    groups = len(bench.sink.held)
    bench.sink.settle()
    bench.turn()
    assert len(writes) <= 2 * groups < 10
    for index in (one, two):
        assert bench.peers[index][2] == [p.PubAck(number) for number in range(1, 50)]
    bench.close()


def test_a_will_that_waits_is_published_when_it_is_due():
    bench = Bench()
    will = p.Will("devices/a/status", b"gone", 1, False, {Property.WILL_DELAY: 3})
    options = {"will": will, "properties": {Property.SESSION_EXPIRY: 100}}
    index = open_device(bench, "a", V5, **options)
    bench.peers[index][0].close()
    bench.turn()
    assert bench.sink.messages == []
    bench.now += 4
    bench.endpoint.sweep()
    assert [m.payload for m in bench.sink.messages] == [b"gone"]
    bench.close()


def test_a_session_expires_and_its_will_does_not_wait_longer():
    bench = Bench()
    will = p.Will("devices/a/status", b"gone", 1, False, {Property.WILL_DELAY: 1000})
    options = {"will": will, "properties": {Property.SESSION_EXPIRY: 4}}
    index = open_device(bench, "a", V5, **options)
    bench.peers[index][0].close()
    bench.turn()
    bench.now += 4
    bench.endpoint.sweep()
    assert [m.payload for m in bench.sink.messages] == [b"gone"]
    assert bench.endpoint.hub._sessions == {}
    bench.close()
