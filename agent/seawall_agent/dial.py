"""How a connection comes about: TCP, TLS, CONNECT."""

import socket
from struct import pack

from . import core, log
from .mqtt import until


async def dial(link):
    """Connect; return when the server has accepted us, and subscribe to our commands."""
    host, port, server_name, keepalive_ms = link.broker[:4]
    address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    link.s = s = socket.socket(address[0], address[1])
    s.setblocking(False)
    try:
        s.connect(address[-1])
    except OSError as error:
        if error.errno not in (115, 119, 36):  # EINPROGRESS: Linux, ESP32, macOS
            raise
    write = core._io_queue.queue_write
    await until(write, s)
    # The first writes and reads make the handshake.
    link.judged = False
    link.s = s = link.agent.context.wrap_socket(
        s, server_hostname=server_name, do_handshake_on_connect=False
    )
    link.out = []
    link.pinged = None
    link.end = link.skip = 0
    status = link.topic + b"status"
    # CONNECT (3.1): clean session; the will is retained and has QoS 1.
    link.put(
        0x10,
        pack(">H4sBBH", 4, b"MQTT", 4, 0x2E, keepalive_ms // 1000)
        + _text(link.topic[8:-1])
        + _text(status)
        + _text(b'{"online":false}'),
    )
    while not link.flush():
        await until(write, s)
    if not link.judged:
        raise OSError(-0x3000)
    answer = b""
    while len(answer) < 4:
        await until(core._io_queue.queue_read, s)
        data = s.read(4 - len(answer))
        if data == b"":
            raise OSError(104)
        answer += data or b""
    if answer[:2] != b"\x20\2" or answer[3]:
        raise OSError(111, "CONNACK", answer)
    log("connected")
    link.put(0x82, pack(">H", 65_001) + _text(link.topic + b"commands") + b"\1")
    link.publish(status, b'{"online":true}', 65_002, 0, 1)
    link.next = link.outbox.tail
    link.old = link.known
    link.up = True


def _text(data):
    return pack(">H", len(data)) + data
