"""Signed messages, and generators of load that are quick enough not to be the limit."""

from __future__ import annotations

import os
import select
import socket
import ssl
import time
from collections.abc import Sequence

from seawall.wire.envelope import seal

PUBACK_BYTES = 4
FIRST_TS_MS = 1_763_759_216_000


def device_ids(count: int) -> list[str]:
    return [f"bench-{number:04d}" for number in range(count)]


def readings_topic(device_id: str) -> str:
    return f"devices/{device_id}/readings"


def remaining_length(length: int) -> bytes:
    out = bytearray()
    while True:
        length, byte = divmod(length, 128)
        out.append(byte | (0x80 if length else 0))
        if not length:
            return bytes(out)


def text(value: str) -> bytes:
    data = value.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first: int, body: bytes) -> bytes:
    return bytes([first]) + remaining_length(len(body)) + body


def publish(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH of QoS 1."""
    return packet(0x32, topic + packet_id.to_bytes(2, "big") + payload)


def connect(client_id: str) -> bytes:
    """A CONNECT of MQTT 3.1.1, keep-alive 60 s."""
    return packet(0x10, text("MQTT") + bytes([4, 2, 0, 60]) + text(client_id))


def device_stream(device_id: str, key: bytes, count: int) -> list[bytes]:
    """The PUBLISH packets of one device, as the agent writes its readings."""
    topic = readings_topic(device_id)
    head = text(topic)
    return [
        publish(
            head,
            seal(
                b'{"temp":23.5,"raw":723,"boot":1,"seq":%d,"ts":%d}' % (seq, FIRST_TS_MS + seq),
                topic,
                key,
            ),
            seq % 65_535 + 1,
        )
        for seq in range(count)
    ]


def interleave(streams: Sequence[list[bytes]], some: int = 5) -> bytes:
    """Mix devices as they would come in, a few of each at a time; fresh packet identifiers."""
    mixed = bytearray()
    packet_id = 0
    for first in range(0, max(map(len, streams)), some):
        for stream in streams:
            for one in stream[first : first + some]:
                packet_id = packet_id % 65_535 + 1
                at = one.index(b"/readings") + len(b"/readings")
                mixed += one[:at] + packet_id.to_bytes(2, "big") + one[at + 2 :]
    return bytes(mixed)


def receive(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("the broker closed the connection")
        data += more
    return data


def forget(port: int, client_id: str) -> None:
    """End a persistent session, so that nothing is queued for it any more."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(connect(client_id))
        receive(sock, 4)
        sock.sendall(b"\xe0\0")


def publish_all(port: int, data: bytes, count: int) -> None:
    """Publish into a broker, and return when it has acknowledged everything."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(connect(f"publish_all-{os.urandom(4).hex()}"))
        receive(sock, 4)
        sock.setblocking(False)
        view, missing = memoryview(data), count * PUBACK_BYTES
        poll = select.poll()
        while missing:
            poll.register(sock, select.POLLIN | (select.POLLOUT if view else 0))
            for _, mask in poll.poll(10_000):
                if mask & select.POLLIN:
                    missing -= len(sock.recv(1 << 20))
                if mask & select.POLLOUT:
                    view = view[sock.send(view[: 1 << 18]) :]
        sock.setblocking(True)
        sock.sendall(b"\xe0\0")


class Connection:
    """One device's connection in the load on the builtin endpoint."""

    def __init__(self, sock: socket.socket, stream: list[bytes], window: int) -> None:
        self.sock = sock
        # Half a window in one buffer: a send for many messages.
        size = max(1, window // 2)
        self.chunks = [b"".join(stream[at : at + size]) for at in range(0, len(stream), size)]
        self.sizes = [len(stream[at : at + size]) for at in range(0, len(stream), size)]
        self.next = 0
        self.in_flight = 0
        self.window = window
        self.acknowledged_bytes = 0
        self.total_bytes = len(stream) * PUBACK_BYTES
        self.unsent = b""

    def pump(self) -> None:
        """Send what the window has room for."""
        while True:
            if self.unsent:
                try:
                    sent = self.sock.send(self.unsent)
                except (BlockingIOError, ssl.SSLWantWriteError):
                    return
                self.unsent = self.unsent[sent:]
                if self.unsent:
                    return
            if self.next == len(self.chunks):
                return
            if self.in_flight + self.sizes[self.next] > self.window:
                return
            self.unsent = self.chunks[self.next]
            self.in_flight += self.sizes[self.next]
            self.next += 1

    def drain(self) -> bool:
        """Take PUBACKs; True when all have come."""
        while True:
            try:
                data = self.sock.recv(16_384)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            if not data:
                raise ConnectionError("the endpoint closed a connection")
            before = self.acknowledged_bytes // PUBACK_BYTES
            self.acknowledged_bytes += len(data)
            self.in_flight -= self.acknowledged_bytes // PUBACK_BYTES - before
        return self.acknowledged_bytes >= self.total_bytes


def run_load(connections: list[Connection]) -> float:
    """Send everything; return the seconds from the first byte to the last PUBACK."""
    epoll = select.epoll()
    by_fd = {}
    for each in connections:
        each.sock.setblocking(False)
        by_fd[each.sock.fileno()] = each
        epoll.register(each.sock.fileno(), select.EPOLLIN)
    began = time.monotonic()
    for each in connections:
        each.pump()
    left = len(connections)
    while left:
        for fd, mask in epoll.poll(30) or _stalled(connections):
            each = by_fd[fd]
            if mask & ~select.EPOLLOUT and each.drain():
                epoll.unregister(fd)
                left -= 1
                continue
            each.pump()
            epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if each.unsent else 0))
    return time.monotonic() - began


def _stalled(connections: list[Connection]) -> list[tuple[int, int]]:
    acknowledged = sum(each.acknowledged_bytes for each in connections) // PUBACK_BYTES
    raise TimeoutError(f"no progress for 30 s after {acknowledged} messages")
