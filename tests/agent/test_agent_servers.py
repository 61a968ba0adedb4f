"""Servers that misbehave: the agent neither dies nor hangs, and delivers all in the end.

Each server is bad to the first two connections in its own way, and good to
those that follow on the same port.
"""

from __future__ import annotations

import random
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from agent_rig import (
    Agent,
    Connection,
    Script,
    ScriptedServer,
    good,
    publish_packet,
    remaining_length,
    server_context,
    site_in,
)

pytestmark = pytest.mark.system

CONNACK = b"\x20\2\0\0"
BAD_TIMES = 2
MORE = 10  # readings that the good server must have got in the end
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends RST


def hold(connection: Connection) -> None:
    """Keep a TCP connection open, and take what comes."""
    connection.raw.settimeout(0.1)
    while not connection.server.is_closed:
        try:
            if not connection.raw.recv(4096):
                return
        except TimeoutError:
            pass


def reset(connection: Connection) -> None:
    connection.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.raw.close()


def half_a_handshake(connection: Connection) -> None:
    connection.raw.settimeout(5)
    connection.raw.recv(5)
    connection.raw.sendall(b"\x16\x03\x03\x40\x00\x02\x00")
    hold(connection)


def no_tls(connection: Connection) -> None:
    connection.raw.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    hold(connection)


def close_after_handshake(connection: Connection) -> None:
    connection.handshake()


def after_tls(*data: bytes, close: bool = False) -> Script:
    """Return a script that takes CONNECT and answers it with something."""

    def script(connection: Connection) -> None:
        connection.handshake()
        connection.packet()
        for each in data:
            connection.send(each)
        if not close:
            connection.wait_closed()

    return script


def garbage(connection: Connection) -> None:
    connection.handshake()
    connection.packet()
    noise = random.Random(connection.number).randbytes(3000)
    # A first byte that is no packet of a server, whatever follows.
    connection.send(CONNACK + b"\xf0" + noise)
    connection.wait_closed()


def in_pieces(connection: Connection) -> None:
    """Be good, one byte at a time."""

    def drip(data: bytes) -> None:
        for byte in data:
            connection.send(bytes((byte,)))
            time.sleep(0.002)

    good(connection, write=drip)


def unknown_acks(connection: Connection) -> None:
    """Be good, and acknowledge what was never sent."""

    def noise() -> None:
        for packet_id in (0, 20_000, 32_768, 40_000, 65_000, 65_535):
            connection.send(b"\x40\2" + struct.pack(">H", packet_id))

    good(connection, after_connack=noise)


def orders(make: Callable[[str], list[bytes]]) -> Script:
    """Return a script that is good, and publishes much on the device's command topic."""

    def script(connection: Connection) -> None:
        def publish() -> None:
            certificate = connection.tls.getpeercert() if connection.tls else None
            assert certificate is not None
            uri = dict(certificate["subjectAltName"])["URI"]
            for packet in make(f"devices/{uri.rpartition(':')[2]}/commands"):
                connection.send(packet)

        good(connection, after_connack=publish)

    return script


def endless(topic: str) -> list[bytes]:
    # 268,435,455 bytes are announced, and a few of them come.
    packet = publish_packet(topic, b"x" * 5000, 9)
    return [b"\x32\xff\xff\xff\x7f" + packet[3:]]


def without(*kinds: int) -> Script:
    """Return a script that is good, and leaves packets of some types without an answer."""
    return lambda connection: good(connection, answers=lambda kind: kind not in kinds)


@dataclass(frozen=True)
class Bout:
    """How a server is bad.

    Attributes:
        script: What it does with the first connections.
        returns: Whether the device must give up those connections.
        changes: To the device's configuration.
    """

    script: Script
    returns: bool = True
    changes: tuple[tuple[str, Any], ...] = ()


BOUTS = {
    "reset-at-once": Bout(reset),
    "never-tls": Bout(hold),
    "half-a-handshake": Bout(half_a_handshake),
    "plain-text": Bout(no_tls),
    "close-after-handshake": Bout(close_after_handshake),
    "never-connack": Bout(after_tls()),
    "connack-refused": Bout(after_tls(b"\x20\2\0\5")),
    "connack-cut": Bout(after_tls(b"\x20\2", close=True)),
    "connack-strange": Bout(after_tls(b"\x30\x05abcde")),
    "garbage-after-connack": Bout(garbage),
    "endless-length": Bout(after_tls(CONNACK + b"\x30" + b"\xff" * 40)),
    "close-after-connack": Bout(after_tls(CONNACK, close=True)),
    "close-in-mid-packet": Bout(after_tls(CONNACK + b"\x32\x40\0\x20devices", close=True)),
    "topic-longer-than-packet": Bout(after_tls(CONNACK + b"\x32\x05\xff\xffabc")),
    "empty-publish": Bout(after_tls(CONNACK + b"\x32\0")),
    "suback-refused": Bout(after_tls(CONNACK + b"\x90\3\xfd\xe9\x80")),
    "one-byte-at-a-time": Bout(in_pieces, returns=False),
    "acks-of-unknown-ids": Bout(unknown_acks, returns=False),
    "huge-packet": Bout(
        orders(lambda topic: [publish_packet(topic, b"x" * 200_000, 9)]), returns=False
    ),
    "many-commands": Bout(
        orders(lambda topic: [publish_packet(topic, b'{"cmd":"restart"}', 9)] * 300),
        returns=False,
    ),
    "empty-commands": Bout(orders(lambda topic: [publish_packet(topic, b"", 9)]), returns=False),
    "never-ending-packet": Bout(orders(endless)),
    "never-puback": Bout(without(3)),
    "never-pingresp": Bout(
        without(12), changes=(("interval_ms", 6000), ("broker", {"keepalive_s": 1}))
    ),
}


Ring = dict[str, tuple[Agent, ScriptedServer]]


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    """Every device with its server, all at once: most of the time is spent waiting."""
    with site_in(tmp_path_factory.mktemp("servers") / "site") as site:
        context = server_context(site.installation)
        found: Ring = {}
        for name, bout in BOUTS.items():
            server = ScriptedServer(context, *[bout.script] * BAD_TIMES, good)
            agent = site.agent(name, port=server.port, interval_ms=200)
            agent.configure(broker={"timeout_s": 1})
            agent.configure(**dict(bout.changes))
            found[name] = agent.start(), server
        yield found
        for _, server in found.values():
            server.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", BOUTS)
def test_whatever_a_server_does_all_is_delivered_in_the_end(name: str, ring: Ring) -> None:
    agent, server = ring[name]
    bout = BOUTS[name]
    if bout.returns:
        agent.wait(lambda: len(server.connections) > BAD_TIMES, 60, "a third connection")
        agent.wait(lambda: server.connections[1].is_over, what="the end of the second")
    enough = 1 if name == "never-pingresp" else MORE
    goal = agent.stored().get(1, 0) + enough
    agent.wait_stored(goal, timeout_s=60)
    agent.assert_sane()
    if not bout.returns:
        assert len(server.connections) == 1
        assert not agent.lines("not connected")
    # Nothing is left out, and nothing was counted that no server had acknowledged.
    pairs = server.pairs(agent)
    top = agent.stored()[1]
    assert {(1, seq) for seq in range(1, top + 1)} <= set(pairs)
    firsts = list(dict.fromkeys(pairs))
    assert firsts == sorted(firsts)
    assert agent.boots() == [1]


def test_what_went_wrong_is_said_each_time(ring: Ring) -> None:
    for name, word in (
        ("never-tls", "timed *out"),
        ("never-connack", "timed *out"),
        ("connack-refused", "refused"),
        ("close-after-connack", "closed|reset"),
        ("garbage-after-connack", "protocol|aborted"),
        ("never-puback", "timed *out"),
        ("never-pingresp", "timed *out"),
    ):
        agent, server = ring[name]
        agent.wait(lambda server=server: len(server.connections) > BAD_TIMES, 60, name)
        lines = agent.lines("not connected")
        assert len(lines) >= BAD_TIMES, (name, agent.lines())
        assert all(re.search(word, line, re.IGNORECASE) for line in lines[:BAD_TIMES]), (
            name,
            lines,
        )


def test_memory_bears_failed_connections(ring: Ring) -> None:
    tight = {name for name, (agent, _) in ring.items() if agent.lines("MemoryError")}
    assert not tight, "\n".join(ring[sorted(tight)[0]][0].lines()[:20])


def test_attempts_are_spread_wider_and_wider(ring: Ring) -> None:
    """Back-off: a random time, doubled, that begins anew once a reading is settled."""
    agent, server = ring["close-after-handshake"]
    agent.wait(lambda: len(server.connections) > BAD_TIMES, 60, "a third connection")
    first, second, third = (each.at for each in server.connections[:3])
    assert 0.9 < second - first < 4
    assert 1.9 < third - second < 8


def test_a_big_backlog_goes_out_in_order_and_marked_as_sent_before(ring: Ring) -> None:
    agent, server = ring["never-puback"]
    agent.wait_stored(MORE, timeout_s=60)
    topic = f"devices/{agent.name}/readings"
    seen: set[bytes] = set()
    for name, payload, kind in list(server.published):
        if name == topic:
            # DUP (MQTT 3.3.1.1): on what may have been sent before, and on nothing else.
            assert bool(kind & 8) == (payload in seen), (kind, payload)
            seen.add(payload)


@pytest.mark.timeout(60)
def test_a_port_where_nobody_listens(tmp_path: Any) -> None:
    with site_in(tmp_path / "site") as site:
        context = server_context(site.installation)
        server = ScriptedServer(context, good)
        agent = site.agent("lonely", port=server.port, interval_ms=50)
        server.close()
        agent.start()
        agent.wait_line("not connected", 2)
        # The listener of a server that comes back.
        again = ScriptedServer(context, good, port=server.port)
        agent.wait_stored(60, timeout_s=30)
        agent.assert_sane()
        pairs = again.pairs(agent)
        assert pairs[:60] == [(1, seq) for seq in range(1, 61)]
        again.close()


assert remaining_length(321) == b"\xc1\x02"  # MQTT 2.2.3: a check on our own arithmetic
