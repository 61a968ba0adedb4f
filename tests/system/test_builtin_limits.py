"""The builtin broker under those who do not behave: nobody locks others out."""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seawall.broker.drivers.builtin.endpoint import STALL_S
from seawall.model.reading import Reason
from seawall.testing.broker_rig import wait_for
from seawall.testing.builtin_rig import SETTINGS, BuiltinRig
from seawall.testing.raw_client import RawClient
from seawall.wire.mqtt import packets as p
from seawall.wire.mqtt.codes import V5

pytestmark = pytest.mark.system

READINGS = "devices/a/readings"


@pytest.fixture
def rigs(tmp_path: Path) -> Iterator[Callable[..., BuiltinRig]]:
    made: list[BuiltinRig] = []

    def make(clock: Callable[[], float] | None = None, **settings) -> BuiltinRig:
        options = {"clock": clock} if clock else {}
        rig = BuiltinRig(tmp_path, replace(SETTINGS, **settings), **options)
        made.append(rig)
        rig.start()
        return rig

    yield make
    for rig in made:
        rig.stop()


@pytest.fixture
def sockets() -> Iterator[list[socket.socket | RawClient]]:
    made: list[socket.socket | RawClient] = []
    yield made
    for each in made:
        each.close()


def tcp(rig: BuiltinRig) -> socket.socket:
    return socket.create_connection(("127.0.0.1", rig.endpoint.port), timeout=10)


def join(rig: BuiltinRig, name: str, **options) -> RawClient:
    return RawClient(rig, rig.keys.identities[name], p.Connect(name, **options))


def ended(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"max_connections": 50},
        {"max_connections_per_address": 20},
    ],
)
def test_300_sockets_that_never_finish_connect_lock_nobody_out(rigs, sockets, limits):
    rig = rigs(**limits)
    early = join(rig, "b")
    sockets.append(early)
    for number in range(300):
        sockets.append(tcp(rig))
        if number % 3 == 1:
            sockets[-1].sendall(b"\x16\x03\x01\x00")  # a handshake that stops
    for _ in range(10):
        sockets.append(RawClient(rig, rig.keys.identities["a"], None))  # TLS, then silence
    started = time.monotonic()
    device = join(rig, "a")
    sockets.append(device)
    device.send(p.Publish(READINGS, b"x", 1, packet_id=1))
    assert device.next() == p.PubAck(1)
    assert time.monotonic() - started < 3
    assert early.ping()


def test_who_does_not_connect_in_time_is_closed(rigs, sockets):
    now = [100.0]
    rig = rigs(lambda: now[0], connect_timeout_s=10.0)
    silent = tcp(rig)
    half = RawClient(rig, rig.keys.identities["a"], None)
    device = join(rig, "b")
    sockets += [silent, half, device]
    half.send(b"\x10\x0d\x00\x04MQTT")  # a CONNECT that stops
    count = rig.broker._endpoint.reception.links
    wait_for(lambda: len(count) == 3, "three connections")
    for step in (4.0, 4.0, 1.9):
        now[0] += step
        rig.loop.call(rig.broker._endpoint.sweep)
    assert len(count) == 3
    now[0] += 0.2
    rig.loop.call(rig.broker._endpoint.sweep)
    assert half.closed()
    assert ended(silent)
    assert device.ping()
    assert [r.reason for r in rig.sink.refusals] == [Reason.MALFORMED] * 2
    assert "CONNECT" in rig.sink.refusals[0].detail


def test_connected_devices_are_never_reaped(rigs, sockets):
    rig = rigs(max_connections=2)
    rig.keys.device("c")
    rig.apply()
    a, b = join(rig, "a"), join(rig, "b")
    sockets += [a, b]
    for _ in range(5):
        late = tcp(rig)
        sockets.append(late)
        assert ended(late)
    assert a.ping()
    assert b.ping()
    assert "too many connections" in rig.sink.refusals[0].detail
    a.vanish()
    wait_for(lambda: rig.loop.call(lambda: rig.broker.connected) == 1, "the end of a")
    sockets.append(join(rig, "c"))


def test_connections_of_one_address_are_limited(rigs, sockets):
    rig = rigs(max_connections_per_address=2)
    sockets += [join(rig, "a"), join(rig, "b")]
    late = tcp(rig)
    sockets.append(late)
    assert ended(late)
    elsewhere = socket.socket()
    sockets.append(elsewhere)
    elsewhere.settimeout(0.5)
    elsewhere.bind(("127.0.0.2", 0))
    elsewhere.connect(("127.0.0.1", rig.endpoint.port))
    with pytest.raises(TimeoutError):
        elsewhere.recv(1)


def test_a_slow_reader_is_dropped(rigs, sockets):
    """A client that makes us send and does not read costs a bounded amount, then its place."""
    rig = rigs()
    other = join(rig, "b")
    slow = RawClient(rig, rig.keys.identities["a"], p.Connect("a"), receive_buffer=4096)
    sockets += [other, slow]
    slow.send(p.Subscribe(1, (p.Subscription("devices/a/#", 0),)))
    slow.next()
    with contextlib.suppress(OSError):
        for number in range(3000):
            slow.send(p.Publish(READINGS, bytes(16_000)))
            if number % 100 == 0:
                assert other.ping()
    wait_for(lambda: rig.loop.call(lambda: rig.broker.connected) == 1, "the end of the slow one")
    assert other.ping()
    assert len(rig.sink.messages) < 3000


def test_a_client_that_takes_no_acknowledgements_is_dropped(rigs, sockets):
    now = [100.0]
    rig = rigs(lambda: now[0])
    slow = RawClient(rig, rig.keys.identities["a"], p.Connect("a"), receive_buffer=4096)
    sockets.append(slow)
    stop = threading.Event()

    def flood() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                slow.send(*[p.Publish(READINGS, b"", 1, packet_id=n) for n in range(1, 500)])

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        links = rig.broker._endpoint._live
        wait_for(
            lambda: all(link.stalled_since for link in links.values()), "a stall or the end", 20
        )
        while now[0] < 100 + STALL_S + 8:
            now[0] += 4
            rig.loop.call(rig.broker._endpoint.sweep)
        wait_for(lambda: not links, "the end of the slow one")
    finally:
        stop.set()
        thread.join()


def test_a_flood_of_one_leaves_the_others_their_turn(rigs, sockets):
    rig = rigs()
    loud, calm = join(rig, "a"), join(rig, "b")
    sockets += [loud, calm]
    stop = threading.Event()
    data = p.Publish(READINGS, bytes(200))

    def flood() -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                loud.send(*[data] * 200)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_for(lambda: len(rig.sink.messages) > 5000, "the flood")
        times = []
        for _ in range(20):
            start = time.monotonic()
            assert calm.ping()
            times.append(time.monotonic() - start)
        assert sorted(times)[10] < 0.5
    finally:
        stop.set()
        thread.join()


def test_a_full_descriptor_table_neither_spins_nor_ends_the_listener(rigs, sockets):
    rig = rigs()
    reception = rig.broker._endpoint.reception
    listener = reception._listener

    class Exhausted:
        calls = 0

        def accept(self):
            self.calls += 1
            if self.calls <= 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return listener.accept()

        def __getattr__(self, name):
            return getattr(listener, name)

    exhausted = Exhausted()
    reception._listener = exhausted
    device = join(rig, "a")
    sockets.append(device)
    assert device.ping()
    assert exhausted.calls < 12


def test_an_unforeseen_error_ends_one_connection(rigs, sockets, caplog):
    rig = rigs()
    good, bad = join(rig, "b"), join(rig, "a")
    sockets += [good, bad]

    def fail(*_args):
        raise RuntimeError("unforeseen")

    rig.broker._endpoint._forbidden = fail
    bad.send(p.Publish("devices/b/readings", b"x"))
    assert bad.closed()
    assert "unforeseen" in caplog.text
    assert good.ping()
    sockets.append(join(rig, "a"))


def test_open_publications_beyond_the_limit_wait_or_end(rigs, sockets):
    """3.1.1 is not read from; 5.0 was told the receive maximum and is ended."""
    rig = rigs()
    rig.sink.holding = True
    device = join(rig, "a")
    sockets.append(device)
    payload = bytes(100)
    for first in range(1, 8001, 1000):
        device.send(
            *[p.Publish(READINGS, payload, 1, packet_id=n) for n in range(first, first + 1000)]
        )
    link = rig.broker._endpoint._live["a"]
    wait_for(lambda: link.paused, "the pause")
    taken = len(rig.sink.messages)
    assert 2000 <= taken < 8000
    rig.sink.holding = False
    rig.loop.call(rig.sink.release)
    acknowledged = device.take(8000)
    assert acknowledged == [p.PubAck(n) for n in range(1, 8001)]
    assert len(rig.sink.messages) == 8000
    newer = join(rig, "b", version=V5)
    sockets.append(newer)
    rig.sink.holding = True
    topic = "devices/b/readings"
    newer.send(*[p.Publish(topic, b"", 1, packet_id=n) for n in range(1, 3000)])
    assert newer.next() == p.Disconnect(0x93)
    rig.loop.call(rig.sink.release)
